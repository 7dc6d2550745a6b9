//! Chats: what an owner says about all tasks (the mesh), or about one contract.

use crate::{ContractId, text::words};

words! {
    /// What a message of a chat is about.
    ChatContext, "context of a chat message" {
        /// All tasks.
        Mesh = "mesh",
        /// The contract whose chat it is.
        Contract = "contract",
        /// One task.
        Task = "task",
    }
}

/// Which of an owner's chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chat {
    /// The one about all tasks.
    Mesh,
    /// The one of a contract.
    Contract(ContractId),
}

impl Chat {
    /// What its messages are about unless they say otherwise.
    pub fn context(self) -> ChatContext {
        match self {
            Self::Mesh => ChatContext::Mesh,
            Self::Contract(_) => ChatContext::Contract,
        }
    }

    /// The contract whose chat it is.
    pub fn contract(self) -> Option<ContractId> {
        match self {
            Self::Mesh => None,
            Self::Contract(contract) => Some(contract),
        }
    }
}
