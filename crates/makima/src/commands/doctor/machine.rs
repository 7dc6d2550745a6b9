//! What the machine has: platform, git, agents, folder, disk.

use super::Check;
use crate::{
    config::Config,
    data_folder::{DataFolder, room},
    environment,
    failure::chain,
    look::bytes,
};
use makima_daemon::search_agents;
use makima_git::{Environment, Git};
use rustix::{
    fs::{Access, access},
    io::Errno,
};
use std::ffi::OsString;

/// Below this much room, work will soon fail.
const LITTLE_ROOM: u64 = 2 << 30;
/// Below this much, it fails now.
const NO_ROOM: u64 = 200 << 20;

/// Whether it is one that agents run on.
pub(super) fn platform() -> Check {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let found = format!("{system} on {processor}");
    match (system, processor) {
        ("linux", "x86_64" | "aarch64") => Check::ok("platform", found),
        _ => Check::fail("platform", found, "agents run on Linux, on x86-64 or aarch64"),
    }
}

/// Whether there is a git that is new enough.
pub(super) async fn git() -> Check {
    match Git::find(Environment::pick(environment::all())).await {
        Ok(git) => Check::ok("git", git.version().to_string()),
        Err(error) => Check::fail("git", chain(&error), "install git 2.38 or newer where PATH finds it"),
    }
}

/// Which of the configured agents are there.
pub(super) async fn agents(config: &Config) -> Vec<Check> {
    let Ok(program) = environment::program() else { return Vec::new() };
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let variables = environment::all().into_iter().filter_map(text).collect();
    let searched = search_agents(&config.agents(), &program, &variables).await;
    let check = |agent: makima_daemon::AgentSearch| {
        let name = format!("agent {}", agent.name);
        match agent.found {
            Ok(version) => Check::ok(&name, version.unwrap_or_else(|| "found".to_owned())),
            Err(why) if agent.name == "claude" => Check::warn(
                &name,
                why,
                "for Claude Code on this machine: npm install -g @anthropic-ai/claude-code, then `claude` once to log in",
            ),
            Err(why) => Check::warn(&name, why, format!("see [agents.{}] of the configuration", agent.name)),
        }
    };
    searched.into_iter().map(check).collect()
}

/// Whether the data folder can be written.
pub(super) fn data_folder(data: &DataFolder) -> Check {
    let path = data.path();
    let there = data.existing();
    let advice = "name a folder of yours with --data-dir or MAKIMA_DATA_DIR";
    let fail = |found: String| Check::fail("data directory", found, advice);
    if !there.is_dir() {
        return fail(format!("{} is no folder", there.display()));
    }
    match access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if there == path => Check::ok("data directory", path.display().to_string()),
        Ok(()) => Check::ok("data directory", format!("{}, which the first start makes", path.display())),
        Err(Errno::ROFS) => fail(format!("{} is on a read-only file system", there.display())),
        Err(error) => fail(format!("{} can't be written: {error}", there.display())),
    }
}

/// Whether there is room.
pub(super) fn disk(data: &DataFolder) -> Check {
    let there = data.existing();
    let advice =
        "make room, or keep the data elsewhere with --data-dir: clones, worktrees and the database need it";
    match room(there) {
        Ok(free) => {
            let found = format!("{} free", bytes(free));
            match free {
                free if free < NO_ROOM => Check::fail("disk", found, advice),
                free if free < LITTLE_ROOM => Check::warn("disk", found, advice),
                _ => Check::ok("disk", found),
            }
        }
        Err(error) => Check::fail("disk", error.to_string(), format!("look at {}", there.display())),
    }
}
