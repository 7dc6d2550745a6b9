//! Typed HTTP and WebSocket client of the server
