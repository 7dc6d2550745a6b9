//! What can't be done with an agent.

use makima_model::{QuestionId, QuestionKind};

/// Why something could not be done with an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// Its configuration names no program.
    #[error("the agent {agent} has no command: set agents.{agent}.command")]
    NoCommand {
        /// The agent.
        agent: String,
    },
    /// It plays a scenario, and has none.
    #[error("the agent {agent} has no scenario: set agents.{agent}.scenario")]
    NoScenario {
        /// The agent.
        agent: String,
    },
    /// A path that has to be told to the agent is not UTF-8.
    #[error("the path {path} can't be told to the agent: it is not UTF-8")]
    Path {
        /// The path, lossily.
        path: String,
    },
    /// Nobody waits for the answer.
    #[error("no question {question} waits for an answer")]
    NotAsked {
        /// The question.
        question: QuestionId,
    },
    /// The question wants another answer.
    #[error("the question {question} wants {}", match kind {
        QuestionKind::Permission => "`allow` or `deny`",
        QuestionKind::Question => "words, or `deny`",
    })]
    WrongAnswer {
        /// The question.
        question: QuestionId,
        /// What it wants.
        kind: QuestionKind,
    },
}
