//! The statements of both kinds of chats, each written once: they differ in their tables' names, and in the column that says
//! whose chat a conversation is of.

use crate::statements::{Listed, Statement};
use makima_model::Chat;

/// The statements of one kind.
pub(super) struct Sql {
    pub(super) lock: &'static str,
    pub(super) begin: &'static str,
    pub(super) active: &'static str,
    pub(super) deactivate: &'static str,
    pub(super) activate: &'static str,
    pub(super) rename: &'static str,
    pub(super) conversation: &'static str,
    pub(super) message: &'static str,
    pub(super) say: &'static str,
    pub(super) touch: &'static str,
    pub(super) conversations: Listed,
    pub(super) messages: Listed,
}

macro_rules! listed {
    ($($condition:expr),*) => {
        Listed {
            newest: concat!($($condition,)* " AND (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"),
            oldest: concat!($($condition,)* " AND (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3"),
        }
    };
}

macro_rules! sql {
    ($conversations:literal, $messages:literal, $scope:literal, lock: $lock:literal, more: ($column:literal, $value:literal)) => {
        Sql {
            // Changes nothing but who may change the chat.
            lock: $lock,
            begin: concat!(
                "INSERT INTO ",
                $conversations,
                " (id, owner_id, name, is_active, created_at, updated_at",
                $column,
                ") VALUES ($1, $2, $3, $4, $5, $6",
                $value,
                ")"
            ),
            active: concat!(
                "SELECT * FROM ",
                $conversations,
                " WHERE owner_id = $1 AND ",
                $scope,
                " = $2 AND is_active"
            ),
            deactivate: concat!(
                "UPDATE ",
                $conversations,
                " SET is_active = FALSE WHERE owner_id = $1 AND ",
                $scope,
                " = $2 AND is_active"
            ),
            activate: concat!(
                "UPDATE ",
                $conversations,
                " SET is_active = TRUE, updated_at = $4 WHERE owner_id = $1 AND ",
                $scope,
                " = $2 AND id = $3 RETURNING *"
            ),
            rename: concat!(
                "UPDATE ",
                $conversations,
                " SET name = $5, updated_at = $4 WHERE owner_id = $1 AND ",
                $scope,
                " = $2 AND id = $3 RETURNING *"
            ),
            conversation: concat!(
                "SELECT * FROM ",
                $conversations,
                " WHERE owner_id = $1 AND ",
                $scope,
                " = $2 AND id = $3"
            ),
            message: concat!("SELECT * FROM ", $messages, " WHERE id = $1 AND owner_id = $2"),
            say: concat!(
                "INSERT INTO ",
                $messages,
                " (id, owner_id, conversation_id, role, codec, content, context_type, \
                context_task_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            ),
            touch: concat!("UPDATE ", $conversations, " SET updated_at = $3 WHERE id = $1 AND owner_id = $2"),
            conversations: listed!(
                "SELECT * FROM ",
                $conversations,
                " WHERE owner_id = $4 AND ",
                $scope,
                " = $5"
            ),
            messages: listed!("SELECT * FROM ", $messages, " WHERE owner_id = $4 AND conversation_id = $5"),
        }
    };
}

static MESH: Sql = sql!("mesh_chat_conversations", "mesh_chat_messages", "owner_id",
    lock: "UPDATE users SET name = name WHERE id = $1 AND id = $2", more: ("", ""));
static CONTRACT: Sql = sql!("contract_chat_conversations", "contract_chat_messages", "contract_id",
    lock: "UPDATE contracts SET updated_at = updated_at WHERE owner_id = $1 AND id = $2", more: (", contract_id", ", $7"));

impl Sql {
    pub(super) fn of(chat: Chat) -> &'static Self {
        match chat {
            Chat::Mesh => &MESH,
            Chat::Contract(_) => &CONTRACT,
        }
    }

    fn all(&self) -> [&'static str; 14] {
        let Self {
            lock,
            begin,
            active,
            deactivate,
            activate,
            rename,
            conversation,
            message,
            say,
            touch,
            conversations,
            messages,
        } = self;
        let (conversations, messages) =
            ([conversations.newest, conversations.oldest], [messages.newest, messages.oldest]);
        [
            lock,
            begin,
            active,
            deactivate,
            activate,
            rename,
            conversation,
            message,
            say,
            touch,
            conversations[0],
            conversations[1],
            messages[0],
            messages[1],
        ]
    }
}

/// The statements of this module.
pub(crate) fn statements() -> Vec<Statement> {
    [&MESH, &CONTRACT].into_iter().flat_map(Sql::all).map(Statement::Plain).collect()
}
