//! Agents as real processes, talked with as the run host does.

// Helpers of tests: what fails in them fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod claude;
mod host;
mod scripted;
