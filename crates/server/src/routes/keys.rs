//! API keys.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;

use makima_store::ApiKey;
use makima_wire::Key;

fn shown(key: ApiKey) -> Key {
    Key {
        id: key.id,
        name: key.name,
        principal_id: key.principal,
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    }
}
