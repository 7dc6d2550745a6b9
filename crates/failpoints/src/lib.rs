//! Steps at which a test ends a program as a crash would: between two acts that must both be found done, or neither.
//!
//! A program names its steps with [`Failpoints::at`]. It holds the [`Failpoints`] that it was started with, and no two programs
//! of one process share them, so tests run beside each other. Nothing here is there in a release build: the type is empty,
//! and there is no way to arm it.
//!
//! No step may stand inside a transaction: in the test's own process a frozen one would hold its locks for ever, and for the
//! database a crash there is the same as one before.

/// The steps of one program, and what happens there: nothing, unless a test has armed one.
#[derive(Debug, Clone, Default)]
pub struct Failpoints {
    #[cfg(debug_assertions)]
    armed: std::sync::Arc<std::sync::Mutex<armed::Armed>>,
}

impl Failpoints {
    /// The program has come to this step.
    #[cfg(debug_assertions)]
    pub async fn at(&self, step: &str) {
        let act = self.armed().come_to(step);
        match act {
            armed::Act::GoOn => {}
            armed::Act::Freeze => std::future::pending().await,
            armed::Act::Die => armed::die(),
        }
    }

    /// The program has come to this step.
    #[cfg(not(debug_assertions))]
    #[inline]
    pub async fn at(&self, _step: &str) {}
}

#[cfg(debug_assertions)]
impl Failpoints {
    /// Steps of a program whose process kills itself with SIGKILL when it first comes to this one.
    pub fn killing_at(step: &str) -> Self {
        let failpoints = Self::default();
        failpoints.armed().kill_at = Some(step.to_owned());
        failpoints
    }

    /// The program freezes when it next comes to this step, and from then on at every other one that it comes to: what has
    /// died does nothing more. Drop it, and start another on what it left.
    pub fn freeze_at(&self, step: &str) {
        self.armed().freeze_at = Some(step.to_owned());
    }

    /// Whether the program has come to the step that it freezes at.
    pub fn is_frozen(&self) -> bool {
        self.armed().is_frozen
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, armed::Armed> {
        self.armed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(debug_assertions)]
mod armed {
    /// What a test has asked for.
    #[derive(Debug, Default)]
    pub(crate) struct Armed {
        pub(crate) kill_at: Option<String>,
        pub(crate) freeze_at: Option<String>,
        pub(crate) is_frozen: bool,
    }

    pub(crate) enum Act {
        GoOn,
        Freeze,
        Die,
    }

    impl Armed {
        pub(crate) fn come_to(&mut self, step: &str) -> Act {
            if self.kill_at.as_deref() == Some(step) {
                return Act::Die;
            }
            self.is_frozen |= self.freeze_at.as_deref() == Some(step);
            if self.is_frozen { Act::Freeze } else { Act::GoOn }
        }
    }

    /// Dies as by `kill -9`: no destructor runs, nothing is flushed.
    pub(crate) fn die() -> ! {
        let kill = format!("kill -KILL {}", std::process::id());
        let _ = std::process::Command::new("/bin/sh").args(["-c", &kill]).status();
        std::process::abort()
    }
}
