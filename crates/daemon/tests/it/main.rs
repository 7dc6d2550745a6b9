//! The daemon as its server and its users see it: a real daemon, real run hosts, real agents' processes and real git, against a
//! server of the tests' own.

// The callers are tests: what fails here fails the test.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod bounds;
mod claude;
mod commands;
mod connection;
mod cuts;
mod disks;
mod ends;
mod lab;
mod odd;
mod restarts;
mod runs;
mod server;
mod verify;
