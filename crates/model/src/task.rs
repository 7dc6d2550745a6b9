//! A task: one agent working in one git worktree on one branch.

use crate::text::words;

words! {
    /// What a task's agent is there for.
    TaskRole, "role of a task" {
        /// Plans a contract's work and spawns its other tasks.
        Supervisor = "supervisor",
        /// Does a piece of work.
        Worker = "worker",
    }
}

words! {
    /// Where a task stands (settled points, §1).
    TaskStatus, "status of a task" {
        /// Waits for a daemon.
        Pending = "pending",
        /// A daemon prepares its worktree and agent.
        Starting = "starting",
        /// Its agent works.
        Running = "running",
        /// Its agent waits for the owner's answer.
        Waiting = "waiting",
        /// Its agent ended its work.
        Completed = "completed",
        /// Its agent could not go on.
        Failed = "failed",
        /// Stopped for good.
        Cancelled = "cancelled",
        /// Stopped by its owner, or lost with its agent or daemon: meant to be resumed.
        Interrupted = "interrupted",
    }
}

impl TaskStatus {
    /// Whether a run of the task is alive: placed on a daemon and not ended.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Waiting)
    }

    /// Whether nothing happens with the task until somebody asks for it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Interrupted)
    }

    /// Whether a task may go from `self` to `next` (settled points, §1).
    pub fn may_become(self, next: Self) -> bool {
        match self {
            // A pending task may be stopped before it starts, and fail where nothing can ever run it.
            Self::Pending => next == Self::Starting || (next.is_over() && next != Self::Completed),
            // A daemon that went away while it prepared gives the task back.
            Self::Starting => next == Self::Running || next == Self::Pending || next.is_over(),
            Self::Running => next == Self::Waiting || next.is_over(),
            Self::Waiting => next == Self::Running || next.is_over(),
            // A run that was given up for silence lives on when its daemon returns; any other start is a new run.
            Self::Interrupted => {
                matches!(next, Self::Pending | Self::Running | Self::Waiting | Self::Cancelled)
            }
            Self::Completed | Self::Failed => matches!(next, Self::Pending | Self::Cancelled),
            Self::Cancelled => next == Self::Pending,
        }
    }
}

words! {
    /// What an agent may do without asking.
    PermissionMode, "permission mode" {
        /// Everything: its worktree is its own.
        Bypass = "bypass",
        /// Edit files; anything else is asked.
        AcceptEdits = "acceptEdits",
        /// Nothing but reading.
        Ask = "ask",
    }
}

#[cfg(test)]
mod tests {
    use super::TaskStatus::{self, *};

    #[test]
    fn what_is_over_begins_again_only_as_pending_or_by_a_daemon_that_came_back() {
        for from in TaskStatus::ALL.iter().filter(|status| status.is_over()) {
            assert!(from.may_become(Pending), "{from}");
            assert!(!from.may_become(Starting), "{from}");
            assert_eq!(from.may_become(Running), *from == Interrupted, "{from}");
        }
    }

    #[test]
    fn a_live_task_can_end_in_every_way() {
        for from in [Starting, Running, Waiting] {
            for to in [Completed, Failed, Cancelled, Interrupted] {
                assert!(from.may_become(to), "{from} to {to}");
            }
        }
    }

    #[test]
    fn nothing_becomes_what_it_is() {
        for status in TaskStatus::ALL {
            assert!(!status.may_become(*status), "{status}");
        }
    }

    #[test]
    fn words_are_read_back_and_strange_ones_named() {
        assert_eq!("interrupted".parse(), Ok(Interrupted));
        let error = "dead".parse::<TaskStatus>().unwrap_err().to_string();
        assert!(
            error.starts_with("\"dead\" is no status of a task: it is one of pending, starting"),
            "{error}"
        );
    }
}
