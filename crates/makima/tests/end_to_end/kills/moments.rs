//! Tasks that are each held at a moment of their own, and what must be true of them after something was ended.

use super::site::{Hold, Site, is_alive};
use crate::lab::{Lab, bash, say, until, write};
use makima_client::Client;
use makima_model::{MessageRole, PermissionMode, TaskId, TaskStatus};
use makima_wire::{AnswerQuestion, Conversation, ConversationMessage, CreateTask, List, Task};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const STREAMED: &str = "This message is shown, ";
const CUT_OFF: &str = "and then comes the rest of it.";
const SLOW: &str = "slow";

/// What the agents say and do.
pub(super) fn lab() -> Lab {
    let gated = |mut step: Value, gate: &str| {
        step["wait_for_file"] = json!(gate);
        step
    };
    let mut talk = gated(say(&format!("{STREAMED}{CUT_OFF}")), "../go");
    talk["chunk"] = json!(STREAMED.len());
    talk["gate_after_chunks"] = json!(1);
    let stray = "(setsid env -i sleep 1000 >/dev/null 2>&1 & echo $! >> ../stray)";
    let tool =
        format!("echo made > made.txt; {stray}; while [ ! -e ../go ]; do sleep 0.05; done; echo through");
    let lab = Lab::new(json!({
        "START": [say("Started.")],
        "TALK": [write("half.txt", "half\n"), talk],
        "TOOL": [bash(&tool), say("The tool is through.")],
        "MAY I": [bash("echo allowed > allowed.txt"), say("Thanks.")],
        "QUEUE": [write("one.txt", "one\n"), say("One is done.")],
        "MORE": [write("two.txt", "two\n"), say("Two is done.")],
        "FINISH": [write("end.txt", "end\n"), say("All is done.")],
        "BEGIN": [say("Begun.")],
        "GO ON": [say("On it.")],
    }));
    install_slow_agent(&lab);
    lab
}

/// An agent whose program reads and says nothing before it is let go.
fn install_slow_agent(lab: &Lab) {
    let (program, go) = (lab.path("slow-scripted-agent"), lab.data().join("daemon/worktrees/go"));
    let script = format!(
        "#!/bin/sh\n\
         [ \"$1\" = --version ] || until [ -e {} ]; do sleep 0.05; done\n\
         exec {} scripted-agent \"$@\"\n",
        go.display(),
        env!("CARGO_BIN_EXE_makima"),
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let config = lab.data().join("makima.toml");
    let text = fs::read_to_string(&config).unwrap();
    let scenario = lab.path("scenario.json");
    let agent = format!("[agents.{SLOW}]\nscenario = {scenario:?}\ncommand = [{program:?}]\n");
    fs::write(config, text + &agent).unwrap();
}

/// A task, with all that anybody was told of it.
pub(super) struct Held {
    pub(super) id: TaskId,
    host: Option<i32>,
    told: Vec<ConversationMessage>,
    files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
}

/// One task at each moment.
pub(super) struct Moments {
    /// Its agent streams a message.
    pub(super) talk: Held,
    /// A tool runs, which has left a process behind.
    pub(super) tool: Held,
    /// A permission waits for its owner.
    pub(super) question: Held,
    /// Its first turn has ended and the checkpoint is being made; a message waits for the next.
    pub(super) queue: Held,
    /// Its agent is done, and what it left is being committed.
    pub(super) finish: Held,
    /// Its agent's program was started, and has neither read nor said anything.
    pub(super) start: Held,
    /// Its worktree is being made.
    pub(super) begin: Held,
}

impl Moments {
    /// Brings the tasks to their moments.
    pub(super) async fn reach(site: &Site) -> Self {
        let client = site.client();
        let finish = held_by_git(site, "FINISH", "update-ref -m").await;
        let talk = create(site, "TALK", None).await;
        let tool = create(site, "TOOL", None).await;
        let start = create_as(site, SLOW, "START").await;
        let question = create(site, "MAY I", Some(PermissionMode::Ask)).await;
        status(&client, question, TaskStatus::Waiting).await;
        until("the tool runs", async || (!site.strays().is_empty()).then_some(())).await;
        assert_eq!(site.strays().len(), 1);
        until("the slow agent is there", async || site.has_agent(start).then_some(())).await;
        until("the message is streamed", async || {
            site.streamed().contains(&STREAMED.to_owned()).then_some(())
        })
        .await;
        let queue = held_by_git(site, "QUEUE", "commit-tree").await;
        client.send_message(queue, "MORE").await.unwrap();
        let begin = held_by_git(site, "BEGIN", "worktree add").await;
        let mut moments = Self {
            talk: Held::of(site, talk).await,
            tool: Held::of(site, tool).await,
            question: Held::of(site, question).await,
            queue: Held::of(site, queue).await,
            finish: Held::of(site, finish).await,
            start: Held::of(site, start).await,
            begin: Held::of(site, begin).await,
        };
        // They are what they are in the database too: everything that is in a journal has been told.
        for (held, least) in [
            (&mut moments.talk, 3),
            (&mut moments.tool, 2),
            (&mut moments.question, 2),
            (&mut moments.start, 1),
        ] {
            held.told = conversation_of(&client, held.id, least).await.messages;
        }
        moments.queue.told = conversation_of(&client, moments.queue.id, 4).await.messages;
        moments.finish.told = conversation_of(&client, moments.finish.id, 4).await.messages;
        moments
    }

    /// Lets every agent, tool and git go on.
    pub(super) fn let_go(&self, site: &Site) {
        fs::write(site.daemons_data().join("worktrees/go"), "").unwrap();
        site.let_go();
    }

    /// Takes what is in the worktrees now, as what has to be there later.
    pub(super) fn look_at_files(&mut self, site: &Site) {
        for held in [&mut self.talk, &mut self.tool, &mut self.question, &mut self.queue, &mut self.start] {
            held.files = held.files_now(site);
            assert!(!held.files.is_empty());
        }
    }

    /// What was at its beginning or its end goes on whatever was killed.
    pub(super) async fn begin_and_end_are_done(&self, site: &Site) {
        let client = site.client();
        let finished = self.finish.completed(&client, 1).await;
        assert_eq!(self.finish.said(&client).await, ["I write.", "All is done."]);
        assert_eq!(site.lab.committed(&finished.branch_name, "end.txt"), "end");
        // The index follows the commit, and is not locked.
        let worktree = finished.worktree_path.unwrap();
        assert_eq!(site.lab.repo.git(["-C", &worktree, "status", "--porcelain"]), "");
        site.lab.repo.git(["-C", &worktree, "add", "-A"]);
        self.begin.completed(&client, 1).await;
        assert_eq!(self.begin.said(&client).await, ["Begun."]);
    }

    /// No agent has noticed anything: each works on in its first run, below the same host, and comes to its end.
    pub(super) async fn agents_noticed_nothing(&self, site: &Site, more: Option<&str>) {
        let client = site.client();
        for held in [&self.talk, &self.tool, &self.start] {
            assert_eq!(status(&client, held.id, TaskStatus::Running).await.run_number, 1);
        }
        let waiting = status(&client, self.question.id, TaskStatus::Waiting).await;
        for held in [&self.talk, &self.tool, &self.question, &self.queue, &self.start] {
            assert_eq!(site.hosts().get(&held.id).copied(), held.host, "another host");
        }
        let question = waiting.pending_question.unwrap();
        let answer = AnswerQuestion { question_id: question.id, answer: "allow".into(), message: None };
        client.answer(self.question.id, &answer).await.unwrap();
        self.let_go(site);
        let talked = self.talk.completed(&client, 1).await;
        let whole = format!("{STREAMED}{CUT_OFF}");
        let said = self.talk.said(&client).await;
        assert_eq!(said[..2], ["I write.", whole.as_str()]);
        assert_eq!(said.len(), if more.is_some() { 3 } else { 2 }, "{said:?}");
        assert_eq!(site.lab.kept(&talked, "half.txt"), "half");
        let tool = self.tool.completed(&client, 1).await;
        assert_eq!(self.tool.said(&client).await, ["I run.", "The tool is through."]);
        assert_eq!(site.lab.kept(&tool, "made.txt"), "made");
        self.question.completed(&client, 1).await;
        assert_eq!(self.question.said(&client).await, ["I run.", "Thanks."]);
        self.start.completed(&client, 1).await;
        assert_eq!(self.start.said(&client).await, ["Started."]);
        assert_eq!(said_by(&client, self.start.id, MessageRole::User).await, ["START"]);
        let queued = self.queue.completed(&client, 1).await;
        assert_eq!(self.queue.said(&client).await, ["I write.", "One is done.", "I write.", "Two is done."]);
        assert_eq!(queued.checkpoint_count, 2, "{queued:?}");
        assert!(site.strays().into_iter().all(|pid| !is_alive(pid)), "the tool left a process");
    }

    /// Each agent that was at work has died: its run says how far it had come, nothing of it runs, and its worktree is as it
    /// left it.
    pub(super) async fn agents_were_interrupted(&self, site: &Site) {
        let client = site.client();
        let points = [
            (&self.talk, format!("(turn 1, after it said “{}”)", STREAMED.trim())),
            (&self.tool, "(turn 1, while it used Bash)".to_owned()),
            (&self.question, "(turn 1, while it waited for an answer to “".to_owned()),
            (&self.queue, "after turn 1".to_owned()),
            (&self.start, "(turn 1, after it was told “START”)".to_owned()),
        ];
        for (held, point) in points {
            let task = status(&client, held.id, TaskStatus::Interrupted).await;
            let reason = task.status_reason.clone().unwrap();
            let cause = ["was ended by signal 9", "was killed"];
            assert!(cause.iter().any(|cause| reason.contains(cause)) && reason.contains(&point), "{reason}");
            assert!(task.pending_question.is_none(), "{task:?}");
            assert_eq!(held.files_now(site), held.files, "the worktree of {}", task.plan);
            held.keeps_what_was_told(&client).await;
        }
        assert!(site.strays().into_iter().all(|pid| !is_alive(pid)), "a process outlived its run");
        let cut = self.talk.last(&client).await;
        assert_eq!((cut.content.as_str(), cut.incomplete), (STREAMED, true));
        // The turn that had ended has its checkpoint.
        let checkpoints = client.checkpoints(self.queue.id, &List::default()).await.unwrap().checkpoints;
        assert_eq!(checkpoints.len(), 1, "{checkpoints:?}");
        assert_eq!(site.lab.kept(&client.task(self.queue.id).await.unwrap(), "one.txt"), "one");
    }

    /// Whoever was interrupted goes on when he is told to, with all that was said before, once.
    pub(super) async fn agents_go_on(&self, site: &Site) {
        let client = site.client();
        for held in [&self.talk, &self.tool, &self.queue, &self.start] {
            client.send_message(held.id, "GO ON").await.unwrap();
        }
        for held in [&self.talk, &self.tool, &self.queue, &self.start] {
            held.completed(&client, 2).await;
            assert_eq!(held.last(&client).await.content, "On it.");
            held.keeps_what_was_told(&client).await;
        }
        assert_eq!(said_by(&client, self.queue.id, MessageRole::User).await, ["QUEUE", "MORE", "GO ON"]);
        assert_eq!(said_by(&client, self.start.id, MessageRole::User).await, ["START", "GO ON"]);
        assert_eq!(self.start.said(&client).await, ["On it."]);
    }
}

impl Held {
    async fn of(site: &Site, id: TaskId) -> Self {
        Self { id, host: site.hosts().get(&id).copied(), told: Vec::new(), files: BTreeMap::new() }
    }

    async fn completed(&self, client: &Client, run_number: i64) -> Task {
        let task = until("the task is over", async || {
            let task = client.task(self.id).await.unwrap();
            (task.status.is_over() && task.run_number == run_number).then_some(task)
        })
        .await;
        assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
        self.keeps_what_was_told(client).await;
        task
    }

    /// Every line that anybody saw is there, once and where it was.
    async fn keeps_what_was_told(&self, client: &Client) {
        let now = client.conversation(self.id).await.unwrap().messages;
        assert!(now.len() >= self.told.len(), "{now:#?}");
        assert_eq!(now[..self.told.len()], self.told[..]);
        let ids: BTreeSet<_> = now.iter().map(|message| message.id).collect();
        assert_eq!(ids.len(), now.len(), "a message is there twice");
    }

    async fn said(&self, client: &Client) -> Vec<String> {
        said_by(client, self.id, MessageRole::Assistant).await
    }

    async fn last(&self, client: &Client) -> ConversationMessage {
        client.conversation(self.id).await.unwrap().messages.pop().unwrap()
    }

    /// The files of its worktree, with their modes.
    fn files_now(&self, site: &Site) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut folders = vec![site.daemons_data().join("worktrees").join(self.id.to_string())];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let found = path.symlink_metadata().unwrap();
                if found.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.clone(), (found.permissions().mode(), fs::read(&path).unwrap()));
                }
            }
        }
        files
    }
}

pub(super) async fn create(site: &Site, plan: &str, permission_mode: Option<PermissionMode>) -> TaskId {
    site.client().create_task(&CreateTask { permission_mode, ..wanted(site, plan) }).await.unwrap().id
}

/// The same for this agent.
async fn create_as(site: &Site, agent: &str, plan: &str) -> TaskId {
    let task = CreateTask { agent: Some(agent.to_owned()), ..wanted(site, plan) };
    site.client().create_task(&task).await.unwrap().id
}

fn wanted(site: &Site, plan: &str) -> CreateTask {
    let repository = Some(repository(site.lab.repo.path()));
    CreateTask { plan: plan.to_owned(), repository, ..CreateTask::default() }
}

/// What somebody said in a task's conversation.
pub(super) async fn said_by(client: &Client, task: TaskId, role: MessageRole) -> Vec<String> {
    let messages = client.conversation(task).await.unwrap().messages.into_iter();
    messages.filter(|message| message.role == role).map(|message| message.content).collect()
}

/// Makes a task, and waits until its git is held at a command.
pub(super) async fn held_by_git(site: &Site, plan: &str, command: &str) -> TaskId {
    let hold: Hold = site.hold(command);
    let task = create(site, plan, None).await;
    until("git is held", async || hold.is_reached().then_some(())).await;
    task
}

pub(super) async fn status(client: &Client, task: TaskId, wanted: TaskStatus) -> Task {
    until(&format!("the task is {wanted}"), async || {
        let task = client.task(task).await.unwrap();
        (task.status == wanted).then_some(task)
    })
    .await
}

async fn conversation_of(client: &Client, task: TaskId, at_least: usize) -> Conversation {
    until("the conversation is told", async || {
        let conversation = client.conversation(task).await.unwrap();
        (conversation.messages.len() >= at_least).then_some(conversation)
    })
    .await
}

fn repository(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
