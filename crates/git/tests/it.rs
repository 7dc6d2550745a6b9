//! Real, hermetic repositories: each test makes its own in a temporary folder and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "it/everything.rs"]
mod everything;
#[path = "it/lab.rs"]
mod lab;
#[path = "it/life.rs"]
mod life;

#[path = "it/beside_a_writer.rs"]
mod beside_a_writer;
#[path = "it/bundles.rs"]
mod bundles;
#[path = "it/checkpoints.rs"]
mod checkpoints;
#[path = "it/clones.rs"]
mod clones;
#[path = "it/commit_remaining.rs"]
mod commit_remaining;
#[path = "it/commits.rs"]
mod commits;
#[path = "it/diffs.rs"]
mod diffs;
#[path = "it/environments.rs"]
mod environments;
#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/leftovers.rs"]
mod leftovers;
#[path = "it/lives.rs"]
mod lives;
#[path = "it/naive.rs"]
mod naive;
#[path = "it/new_repository.rs"]
mod new_repository;
#[path = "it/odd_worktrees.rs"]
mod odd_worktrees;
#[path = "it/publishing.rs"]
mod publishing;
#[path = "it/safety.rs"]
mod safety;
#[path = "it/safety_cut.rs"]
mod safety_cut;
#[path = "it/safety_naive.rs"]
mod safety_naive;
#[path = "it/skips.rs"]
mod skips;
#[path = "it/uncommitted.rs"]
mod uncommitted;
#[path = "it/warm.rs"]
mod warm;
#[path = "it/worktrees.rs"]
mod worktrees;
