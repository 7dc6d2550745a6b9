//! Messages, packed before they are appended.

use super::message::NewBody;
use crate::{
    StoreError,
    codec::{Packed, pack},
    error::Act,
};
use makima_model::{Message, MessageId, MessageRole, Timestamp};
use std::sync::Arc;

/// A message as it will be stored. Packing takes as long as writing does and needs no transaction, so it is done before one
/// begins. Clones share what is packed.
#[derive(Debug, Clone)]
pub struct PackedMessage {
    /// Its id.
    pub id: MessageId,
    /// Who speaks.
    pub role: MessageRole,
    pub(crate) token_count: Option<i64>,
    pub(crate) cost_usd: Option<f64>,
    pub(crate) created_at: Timestamp,
    pub(crate) body: Arc<Body>,
}

/// What a message says.
#[derive(Debug)]
pub(crate) struct Body {
    /// As it is: what the agent recorded is packed beside that.
    pub(crate) content: Vec<u8>,
    /// As its row will have it.
    pub(crate) packed: Packed,
}

impl PackedMessage {
    /// The message, packed.
    pub fn of(message: &Message) -> Result<Self, StoreError> {
        let content = NewBody::of(message).bytes().act("pack a message")?;
        let packed = pack(&content);
        Ok(Self {
            id: message.id,
            role: message.role,
            token_count: message.token_count,
            cost_usd: message.cost_usd,
            created_at: message.timestamp,
            body: Arc::new(Body { content, packed }),
        })
    }
}
