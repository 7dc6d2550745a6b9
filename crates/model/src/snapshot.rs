//! A snapshot: a kept position in a task's conversation.

use crate::text::words;

words! {
    /// What a snapshot was taken for.
    SnapshotType, "type of a snapshot" {
        /// The end of a turn.
        Auto = "auto",
        /// Somebody who asked for it.
        Manual = "manual",
        /// A checkpoint.
        Checkpoint = "checkpoint",
    }
}
