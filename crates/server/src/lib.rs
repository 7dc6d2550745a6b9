//! The HTTP API, the hub of daemons and the live feed
