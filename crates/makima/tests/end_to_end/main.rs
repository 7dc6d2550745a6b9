//! The built program, from the command line to the files of a repository: server, daemon, run host and the scripted agent.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod claude;
mod cuts;
mod daemon;
mod demo;
mod diffs;
mod disks;
mod exports;
mod import;
mod kills;
mod lab;
mod operations;
mod readme;
mod restart;
mod run;
mod scripted;
mod shown;
mod soak;
mod stranger;
mod terminal;
mod timeline;
mod up;
mod verify;
