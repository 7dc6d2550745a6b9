//! The built program, from the command line to the files of a repository: server, daemon, run host and the scripted agent.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod daemon;
mod demo;
mod lab;
mod restart;
mod run;
mod terminal;
mod up;
