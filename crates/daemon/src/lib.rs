//! Runs agents on this machine: worktrees, run hosts, journals, checkpoints
