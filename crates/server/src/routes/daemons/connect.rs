use crate::{App, caller::Caller, connection};
use axum::{
    extract::{State, WebSocketUpgrade},
    response::Response,
};

/// The largest frame: entries come in pieces of about a megabyte, but one message may be larger.
const FRAME: usize = 256 << 20;

/// The daemon's connection (`docs/protocol.md`).
pub(crate) async fn connect(caller: Caller, State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(FRAME)
        .max_frame_size(FRAME)
        .on_upgrade(move |socket| connection::serve(app, caller, socket))
}
