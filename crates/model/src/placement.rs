//! Which daemon runs a task: the one it names, else the least loaded that can and has nothing in its way.

use crate::{Daemon, DaemonId, DaemonStatus, TaskRole};

/// What a task needs of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need<'a> {
    /// The daemon that it must be, if any.
    pub target: Option<DaemonId>,
    /// The agent, or whichever is the daemon's default.
    pub agent: Option<&'a str>,
    /// Supervisors don't count against a daemon's capacity.
    pub role: TaskRole,
    /// Daemons that have said that they can't reach the repository.
    pub out_of_reach: &'a [DaemonId],
}

/// Where a task goes, or why it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// To this daemon, with this agent.
    On {
        /// The daemon.
        daemon: DaemonId,
        /// The agent.
        agent: String,
    },
    /// Nowhere yet.
    Wait {
        /// Why, in a sentence for people.
        reason: String,
    },
}

/// Chooses among the owner's daemons.
pub fn place(need: &Need<'_>, daemons: &[Daemon]) -> Placement {
    let wait = |reason: String| Placement::Wait { reason };
    let mut able: Vec<&Daemon> = daemons.iter().collect();
    if let Some(target) = need.target {
        able.retain(|daemon| daemon.id == target);
        if let Some(daemon) = able.first().filter(|daemon| daemon.status == DaemonStatus::Offline) {
            return wait(format!("waits for daemon {}, which is offline", daemon.name));
        }
    }
    able.retain(|daemon| daemon.status == DaemonStatus::Online);
    if able.is_empty() {
        return wait("waits for a daemon: none is connected".to_owned());
    }
    able.retain(|daemon| agent_on(need.agent, daemon).is_some());
    if able.is_empty() {
        return wait(match need.agent {
            Some(agent) => format!("waits for a daemon that has the agent {agent:?}: no connected one has"),
            None => "waits for a daemon that has an agent: no connected one has".to_owned(),
        });
    }
    able.retain(|daemon| !need.out_of_reach.contains(&daemon.id));
    if able.is_empty() {
        return wait("waits for a daemon that reaches the repository: no connected one does".to_owned());
    }
    // A run that something is in the way of soon ends, and its place is free for the next one: rather waits a task for a place
    // on a daemon that works. Where none does, it is tried.
    let has_trouble = able.iter().any(|daemon| daemon.trouble.is_some());
    if able.iter().any(|daemon| daemon.trouble.is_none()) {
        able.retain(|daemon| daemon.trouble.is_none());
    }
    if need.role == TaskRole::Worker {
        able.retain(|daemon| daemon.running_tasks < daemon.max_concurrent_tasks);
    }
    // The id breaks ties, so that the choice does not depend on the order of rows.
    match able.iter().min_by_key(|daemon| (load(daemon), daemon.id)) {
        Some(daemon) => match agent_on(need.agent, daemon) {
            Some(agent) => Placement::On { daemon: daemon.id, agent: agent.to_owned() },
            None => wait("waits for a daemon that has an agent: no connected one has".to_owned()),
        },
        None if has_trouble => {
            wait("waits for a free place: every daemon that can run it is full or in trouble".to_owned())
        }
        None => wait("waits for a free place: every daemon that can run it is full".to_owned()),
    }
}

/// How full a daemon is, in thousandths.
fn load(daemon: &Daemon) -> i64 {
    daemon.running_tasks.saturating_mul(1000) / daemon.max_concurrent_tasks.max(1)
}

fn agent_on<'a>(wanted: Option<&str>, daemon: &'a Daemon) -> Option<&'a str> {
    let mut agents = daemon.agents.iter();
    match wanted {
        Some(name) => agents.find(|agent| agent.name == name),
        None => agents.find(|agent| agent.default),
    }
    .map(|agent| agent.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentInfo, Clock};

    fn daemon(clock: &Clock, name: &str, running: i64) -> Daemon {
        Daemon {
            id: clock.new_id(),
            owner: clock.new_id(),
            name: name.into(),
            hostname: name.into(),
            status: DaemonStatus::Online,
            max_concurrent_tasks: 4,
            running_tasks: running,
            agents: vec![
                AgentInfo { name: "claude".into(), version: None, default: true },
                AgentInfo { name: "scripted".into(), version: None, default: false },
            ],
            last_heartbeat_at: clock.now(),
            trouble: None,
        }
    }

    fn any() -> Need<'static> {
        Need { target: None, agent: None, role: TaskRole::Worker, out_of_reach: &[] }
    }

    fn reason(placement: Placement) -> String {
        match placement {
            Placement::Wait { reason } => reason,
            Placement::On { daemon, .. } => panic!("placed on {daemon}"),
        }
    }

    #[test]
    fn the_least_loaded_takes_it_with_its_default_agent() {
        let clock = Clock::system();
        let daemons = [daemon(&clock, "a", 2), daemon(&clock, "b", 1), daemon(&clock, "c", 3)];
        let on_b = Placement::On { daemon: daemons[1].id, agent: "claude".into() };
        assert_eq!(place(&any(), &daemons), on_b);
    }

    #[test]
    fn the_target_takes_it_however_loaded_the_others_are() {
        let clock = Clock::system();
        let daemons = [daemon(&clock, "a", 0), daemon(&clock, "b", 3)];
        let need = Need { target: Some(daemons[1].id), agent: Some("scripted"), ..any() };
        assert_eq!(place(&need, &daemons), Placement::On { daemon: daemons[1].id, agent: "scripted".into() });
    }

    #[test]
    fn a_full_daemon_takes_supervisors_only() {
        let clock = Clock::system();
        let daemons = [daemon(&clock, "a", 4)];
        assert!(reason(place(&any(), &daemons)).contains("full"));
        let supervisor = Need { role: TaskRole::Supervisor, ..any() };
        assert!(matches!(place(&supervisor, &daemons), Placement::On { .. }));
    }

    #[test]
    fn a_daemon_in_trouble_gets_what_no_other_can_run() {
        let clock = Clock::system();
        let mut daemons = [daemon(&clock, "a", 0), daemon(&clock, "b", 3)];
        daemons[0].trouble = Some("there is no room left".into());
        let on = |n: usize| Placement::On { daemon: daemons[n].id, agent: "claude".into() };
        assert_eq!(place(&any(), &daemons), on(1));
        // Its worktree is there, or somebody asked for it.
        assert_eq!(place(&Need { target: Some(daemons[0].id), ..any() }, &daemons), on(0));
        let far = [daemons[1].id];
        assert_eq!(place(&Need { out_of_reach: &far, ..any() }, &daemons), on(0));
        let mut full = daemons.clone();
        full[1].running_tasks = 4;
        assert!(reason(place(&any(), &full)).contains("full or in trouble"));
        full[1].trouble = Some("it is read-only".into());
        assert_eq!(place(&any(), &full), on(0));
    }

    #[test]
    fn who_waits_is_told_for_what() {
        let clock = Clock::system();
        assert!(reason(place(&any(), &[])).contains("none is connected"));
        let mut daemons = [daemon(&clock, "a", 0)];
        let need = Need { agent: Some("gemini"), ..any() };
        assert!(reason(place(&need, &daemons)).contains("\"gemini\""));
        let far = [daemons[0].id];
        assert!(
            reason(place(&Need { out_of_reach: &far, ..any() }, &daemons)).contains("reaches the repository")
        );
        daemons[0].status = DaemonStatus::Offline;
        assert!(
            reason(place(&Need { target: Some(far[0]), ..any() }, &daemons)).contains("a, which is offline")
        );
    }
}
