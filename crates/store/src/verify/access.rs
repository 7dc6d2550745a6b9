//! Keys, and chats.

use super::rule::{REPORT, rules};

/// What to do with a key that opens more, or longer, than it should.
const REVOKE: &str = "revoke it: `makima key revoke <id>`, or set its `revoked_at` in the database";

/// Chats of which more than one conversation goes on, or none.
macro_rules! active {
    ($table:literal, $scope:literal) => {
        concat!(
            "SELECT chat.",
            $scope,
            " AS id, COUNT(CASE WHEN chat.is_active THEN 1 END) AS a FROM ",
            $table,
            " AS chat GROUP BY chat.",
            $scope,
            " HAVING COUNT(CASE WHEN chat.is_active THEN 1 END) <> 1"
        )
    };
}

rules! {
    key_of_agent: "key", "it is of kind {word}, and an agent's own keys alone are of a run", REVOKE,
        "SELECT entry.id, entry.kind AS word FROM api_keys AS entry WHERE (entry.kind = 'tool') <> (entry.run_id IS NOT NULL)";
    key_expiry: "key", "it is of kind {word}, and opens for ever", REVOKE,
        "SELECT entry.id, entry.kind AS word FROM api_keys AS entry \
        WHERE entry.kind IN ('sign_in', 'session') AND entry.expires_at IS NULL";
    chat_active: "user", "{a} conversations of the chat about all tasks go on", REPORT,
        active!("mesh_chat_conversations", "owner_id");
    contract_chat_active: "contract", "{a} conversations of its chat go on", REPORT,
        active!("contract_chat_conversations", "contract_id");
}
