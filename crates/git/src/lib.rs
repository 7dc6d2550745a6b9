//! The only code that runs git: clones, worktrees, checkpoints, diffs
