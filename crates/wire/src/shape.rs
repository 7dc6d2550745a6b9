//! Which texts a request may hold, for the description of the API alone: in Rust each is a `String`.
//!
//! What a server checks is in its `app/texts.rs`. A text that fits the shape here and breaks another rule there is 422. The
//! longest have no pattern: what makes texts after one gives up on a million characters.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Type, schema::Schema},
};

macro_rules! shapes {
    ($(#[doc = $doc:literal] $name:ident { $least:literal to $most:literal $(, $pattern:literal)? })+) => {$(
        #[doc = $doc]
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($doc.trim()))
                    .min_length(Some($least))
                    .max_length(Some($most))
                    $(.pattern(Some($pattern)))?
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

shapes! {
    /// A name: 1 to 200 characters, not only spaces, no control characters.
    Name { 1 to 200, r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$" }
    /// What is said: 1 to 1,000,000 characters, not only spaces, no NUL.
    Said { 1 to 1_000_000 }
    /// A text: at most 1,000,000 characters, no NUL.
    Text { 0 to 1_000_000 }
    /// What a checkpoint is called: 1 to 10,000 characters, not only spaces, no NUL.
    CheckpointMessage { 1 to 10_000 }
    /// An absolute path, or a URL that git takes.
    Repository { 1 to 4096, r"^[^\u0000-\u001F\u007F-\u009F]+$" }
    /// A file of a worktree, relative to it.
    WorktreeFile { 1 to 4096, r"^[^\u0000]+$" }
    /// A commit's name: all of it, or 7 digits or more.
    CommitSha { 7 to 64, "^[0-9a-fA-F]+$" }
    /// A checkpoint of a task: its id, its number, or its commit (7 digits or more).
    CheckpointName { 1 to 64, "^([0-9]{1,18}|[0-9a-fA-F]{7,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$" }
    /// A moment of the task: `head`, `~N` (N messages before the head), `checkpoint:N`, a checkpoint's id or commit (7 digits or more), `message:<id>` (just after it), `snapshot:<id>`, or `time:<RFC 3339>`, which may go bare.
    PointText { 2 to 75, r"^(head|~[0-9]{1,18}|(checkpoint:)?([0-9a-fA-F]{7,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})|checkpoint:[0-9]{1,18}|(message|snapshot):[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(time:)?[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z)$" }
    /// An agent's own id of a session: 1 to 200 characters, none of them a space.
    SessionId { 1 to 200, "^[!-~]+$" }
    /// BLAKE3, in hex.
    Hash { 64 to 64, "^[0-9a-f]{64}$" }
    /// What to look for: 1 to 1000 characters, not only spaces, no NUL.
    Sought { 1 to 1000, r"^[^\u0000]*[^\s\u0000][^\u0000]*$" }
    /// A contract's id, or `none`.
    ContractOrNone { 4 to 36, "^(none|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$" }
}
