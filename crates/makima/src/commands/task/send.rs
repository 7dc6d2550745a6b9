//! `makima task send`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    follow::{Follower, Story, interrupts},
    printer::{Line, Printer, Style},
    reference::TaskRef,
};
use clap::Args;

/// Say something more to the agent of a task, and watch it
///
/// While the agent works, it hears the message at the end of its turn. A task that has ended goes on with it, in the
/// same worktree and with its whole conversation.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task send 1f2e3d4c \"Now write the changelog entry\"")]
pub(crate) struct SendArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// What to say
    message: String,
    /// Return at once, and let the agent work
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// Says it, and follows the task until its agent has ended.
pub(crate) async fn send(
    global: &Global,
    arguments: SendArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let task = arguments.task.find(&client).await?;
    if arguments.no_follow {
        let sent = client.send_message(task.id, &arguments.message).await?;
        printer.document(&sent);
        printer.line(format!("said to task {}, which is {}", task.id.short(), sent.task.status));
        return Ok(Exit::Done);
    }
    // A new run begins with the message. In one that is under way, a message may be half said already.
    let story = if task.status.is_live() { Story::joined() } else { Story::default() };
    let mut follower = Follower::new(&client, printer, interrupts()?, global.program(&data), task.id, story);
    // Listening begins before speaking, so that nothing is missed.
    let feed = follower.open(false).await?;
    let sent = client.send_message(task.id, &arguments.message).await?;
    follower.begin(&sent);
    printer.line(
        Line::styled(Style::Faint, "task ")
            .then(Style::Strong, task.id.short())
            .plain(format!(" {}", task.name))
            .cut(),
    );
    follower.follow(feed).await
}
