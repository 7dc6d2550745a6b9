//! Whose the blobs of the server's blob store are. The bytes are not here.

use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, all, one, text},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{BlobRef, OwnerId, Timestamp};

impl Entity for BlobRef {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { hash: cells.text("hash")?, bytes: cells.size("bytes")? })
    }
}

statements! {
    PUT = "INSERT INTO blobs (owner_id, hash, bytes, created_at) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (owner_id, hash) DO NOTHING";
    ERASED = "SELECT hash FROM erased_blobs ORDER BY erased_at, hash LIMIT 100";
    IS_KEPT = "SELECT EXISTS (SELECT 1 FROM blobs WHERE hash = $1)";
    SWEPT = "DELETE FROM erased_blobs WHERE hash = $1";
    WITH_PREFIX = "SELECT hash, bytes FROM blobs WHERE hash >= $1 AND hash < $1 || 'g' ORDER BY hash";
    ERASED_WITH_PREFIX = "SELECT hash FROM erased_blobs WHERE hash >= $1 AND hash < $1 || 'g' ORDER BY hash";
    GET = "SELECT hash, bytes FROM blobs WHERE owner_id = $1 AND hash = $2";
}

/// The owner has this blob.
pub async fn put(tx: &mut Tx, owner: OwnerId, blob: &BlobRef, at: Timestamp) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(PUT)
        .bind(owner.uuid())
        .bind(text(&blob.hash))
        .bind(i64::try_from(blob.bytes).unwrap_or(i64::MAX))
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("keep whose a blob is")?;
    Ok(())
}

/// The owner's blob with this hash.
pub async fn get(tx: &mut Tx, owner: OwnerId, hash: &str) -> Result<Option<BlobRef>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(owner.uuid()).bind(text(hash)).fetch_optional(c).await);
    Ok(one(row.act("look for a blob")?))
}

/// Blobs whose files nobody may need any more, oldest first: any owner.
pub async fn erased(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    on!(tx, |c| sqlx::query_scalar(ERASED).fetch_all(c).await).act("list the blobs that were erased")
}

/// Whether anybody has this blob: any owner.
pub async fn is_kept(tx: &mut Tx, hash: &str) -> Result<bool, StoreError> {
    on!(tx, |c| sqlx::query_scalar(IS_KEPT).bind(hash).fetch_one(c).await).act("look for a blob")
}

/// The file of a blob that was erased is gone, or is needed again: any owner.
pub async fn swept(tx: &mut Tx, hash: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SWEPT).bind(hash).execute(c).await.map(affected)).act("forget a blob")?;
    Ok(())
}

/// The blobs whose hashes begin so, once for each owner who has one: any owner.
pub async fn with_prefix(tx: &mut Tx, prefix: &str) -> Result<Vec<BlobRef>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(WITH_PREFIX).bind(text(prefix)).fetch_all(c).await);
    Ok(all(rows.act("list blobs")?))
}

/// The blobs whose hashes begin so and whose files nobody may need any more: any owner.
pub async fn erased_with_prefix(tx: &mut Tx, prefix: &str) -> Result<Vec<String>, StoreError> {
    on!(tx, |c| sqlx::query_scalar(ERASED_WITH_PREFIX).bind(prefix).fetch_all(c).await)
        .act("list the blobs that were erased")
}
