//! Agents: how each is started, fed, interrupted and understood.
//!
//! Nothing here runs by itself. An [`Agent`] says how its program is to be started; a [`Dialogue`] is the program's side
//! of the talk as a state machine: fed with the lines that the program writes, it answers with [`Act`]s: bytes to write
//! to the program, [records](makima_model::Record) for the run's journal, and live pieces of text. The run host owns the
//! process, its pipes, the journal and the order of stopping, and is the same for all agents. Time and fresh ids come
//! from the [`Clock`](makima_model::Clock) that is handed in, the environment from the caller.
//!
//! The one exception is [`scripted::play`]: it is not an adapter but the scripted agent's own program.

mod agent;
pub mod claude;
mod config;
mod dialogue;
mod environment;
mod error;
mod instructions;
mod lenient;
mod noise;
mod program;
pub mod scripted;
mod session;
mod turn;

pub use agent::{Agent, InitialFile, Launch, Program, Resume};
pub use config::{AgentConfig, SCRIPTED, configured};
pub use dialogue::{Act, Delta, DeltaKind, Dialogue, Ending, Exit, Input};
pub use environment::{Environment, inherited};
pub use error::AgentError;
pub use instructions::instructions;
pub use session::SessionFile;
