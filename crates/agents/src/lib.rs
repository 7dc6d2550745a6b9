//! Agents: how each is started, fed, interrupted and understood
