//! What tests stand on: a scripted model API that real agents talk to, real git repositories, databases of their own,
//! and the real agent command lines.
//!
//! For development only; no product crate depends on it outside its tests. Everything here panics with a sentence that
//! says what to do, because its callers are tests; nothing here is skipped when something is missing.

// The callers are tests: what fails here fails the test, and says why.
#![allow(clippy::expect_used, clippy::print_stderr)]

mod claude;
mod database;
mod environment;
mod fault_proxy;
mod model_api;
mod random;
pub mod reliability;
mod repo;
mod small_disk;

pub use claude::{CLAUDE_VERSION, claude_cli};
pub use database::{TestDatabase, postgres_server};
pub use environment::{scrubbed_command, workspace_root};
pub use fault_proxy::{FaultProxy, Faults, Way};
pub use model_api::{Block, ErrorReply, FakeModelApi, RecordedRequest, Scenario, Step, ToolResult};
pub use random::Random;
pub use repo::TestRepo;
pub use small_disk::{ReadOnly, SmallDisk, with_own_mounts};
