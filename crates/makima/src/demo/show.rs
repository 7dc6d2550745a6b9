//! What the demonstration prints: a line for each thing that happens, then what to do next.

use super::Demo;
use crate::{
    data_folder::quoted,
    failure::Failure,
    follow::{Heard, question_lines},
    printer::{Line, Printer, Style, one_line},
};
use futures::StreamExt;
use makima_client::Client;
use makima_model::{TaskEventKind, TaskId, TaskStatus};
use makima_wire::{ListTasks, OfContract, Task, TaskEvent};
use std::{collections::BTreeMap, convert::Infallible, time::Duration};

/// Tells until something goes wrong.
pub(super) async fn show(
    demo: &Demo,
    client: &Client,
    printer: &Printer,
    program: &str,
    without_agent: Option<Line>,
) -> Result<Infallible, Failure> {
    let mut after = None;
    let mut telling = Telling {
        demo,
        client,
        printer,
        program,
        tasks: BTreeMap::new(),
        told: BTreeMap::new(),
        told_next: false,
        without_agent,
    };
    let mut made = false;
    loop {
        // Listening begins before anything is made, so that nothing is missed.
        let mut feed = Box::pin(client.feed(None, after).await?);
        if !made {
            made = true;
            telling.begin().await?;
        }
        while let Some(Ok(event)) = feed.next().await {
            after = event.id.or(after);
            telling.hear(&Heard::read(&event)).await?;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

struct Telling<'a> {
    demo: &'a Demo,
    client: &'a Client,
    printer: &'a Printer,
    program: &'a str,
    tasks: BTreeMap<TaskId, Task>,
    /// Where each task stands as far as it was told.
    told: BTreeMap<TaskId, TaskStatus>,
    told_next: bool,
    without_agent: Option<Line>,
}

impl Telling<'_> {
    async fn begin(&mut self) -> Result<(), Failure> {
        let known = self.demo.contract(self.client).await?;
        match &known {
            None => {
                self.printer.line(Line::styled(
                    Style::Faint,
                    format!("An agent that needs no key works on {}:", self.demo.repository.display()),
                ));
                for id in self.demo.make_tasks(self.client).await? {
                    self.tasks.insert(id, self.client.task(id).await?);
                }
            }
            Some(contract) => {
                let of_contract =
                    ListTasks { contract_id: Some(OfContract::One(contract.id)), ..ListTasks::default() };
                let page = self.client.tasks(&of_contract).await?;
                self.tasks = page.tasks.into_iter().map(|task| (task.id, task)).collect();
                self.printer.line("The demonstration was made before, and is as you left it:");
                self.told = self.tasks.values().map(|task| (task.id, task.status)).collect();
                for task in self.tasks.values() {
                    self.printer.line(about(task, task.status.as_str(), Style::Faint));
                }
                let waiting: Vec<Task> =
                    self.tasks.values().filter(|task| task.pending_question.is_some()).cloned().collect();
                waiting.iter().for_each(|task| self.tell_question(task));
            }
        }
        self.tell_next();
        Ok(())
    }

    async fn hear(&mut self, heard: &Heard) -> Result<(), Failure> {
        let Heard::Task(event) = heard else { return Ok(()) };
        if !self.tasks.contains_key(&event.task_id) {
            return Ok(());
        }
        let task = self.client.task(event.task_id).await?;
        self.tell(&task, event);
        if let Some(status) = event.new_status {
            self.told.insert(task.id, status);
        }
        self.tasks.insert(task.id, task);
        self.tell_next();
        Ok(())
    }

    fn tell(&self, task: &Task, event: &TaskEvent) {
        let data = &event.event_data;
        match (event.event_type, event.new_status) {
            (TaskEventKind::StatusChange, Some(TaskStatus::Running)) => {
                let again = event.previous_status == Some(TaskStatus::Waiting);
                self.printer.line(about(task, if again { "goes on" } else { "started" }, Style::Accent));
            }
            (TaskEventKind::StatusChange, Some(TaskStatus::Completed)) => {
                self.printer.line(about(
                    task,
                    &format!("completed: branch {}", task.branch_name),
                    Style::Good,
                ));
            }
            (TaskEventKind::StatusChange, Some(status)) if status.is_over() => {
                let reason = task.status_reason.as_deref().unwrap_or_default();
                self.printer.line(about(task, &format!("{status} {}", one_line(reason)), Style::Bad));
            }
            (TaskEventKind::Question, _) => self.tell_question(task),
            (TaskEventKind::Checkpoint, _) => {
                if let (Some(number), Some(files)) =
                    (data["number"].as_i64(), data["filesChanged"].as_array())
                {
                    let names: Vec<&str> = files.iter().filter_map(|file| file["path"].as_str()).collect();
                    let text = format!("checkpoint {number}: {}", names.join(", "));
                    self.printer.line(about(task, &text, Style::Plain));
                }
            }
            _ => {}
        }
    }

    fn tell_question(&self, task: &Task) {
        let Some(question) = &task.pending_question else { return };
        self.printer.line(about(task, "waits for your answer:", Style::Warn));
        for line in question_lines(question, task.worktree_path.as_deref()) {
            self.printer.line(line);
        }
        self.printer.line(
            Line::from("  answer it from another terminal: ")
                .then(Style::Accent, format!("{} task answer {} allow", self.program, task.id.short()))
                .plain(" (or deny)"),
        );
    }

    /// Once there is nothing left to watch: what there is to look at.
    fn tell_next(&mut self) {
        let quiet =
            |id| self.told.get(id).is_some_and(|status| status.is_over() || *status == TaskStatus::Waiting);
        if self.told_next || self.tasks.is_empty() || !self.tasks.keys().all(quiet) {
            return;
        }
        self.told_next = true;
        let repository = quoted(&self.demo.repository.display().to_string());
        let branch = self
            .tasks
            .values()
            .find(|task| task.status == TaskStatus::Completed)
            .map(|task| &task.branch_name);
        let credentials = "$(sed 's/.*\"apiKey\":\"\\([^\"]*\\).*/\\1/'";
        let key_file = self.demo.repository.parent().and_then(|demo| demo.parent());
        self.printer.line(Line::default());
        self.printer.line(Line::styled(Style::Strong, "What to do next, in another terminal:"));
        if let Some(branch) = branch {
            self.step("see the work of a task", &format!("git -C {repository} log -p main..{branch}"));
        }
        if let Some(folder) = key_file {
            let file = quoted(&folder.join("credentials.json").display().to_string());
            let url = self.client.url();
            self.step(
                "ask the API",
                &format!("curl -H \"Authorization: Bearer {credentials} {file})\" {url}/api/v1/mesh/tasks"),
            );
        }
        self.step(
            "let your own agent work, in a repository of yours",
            &format!("{} run \"what it shall do\"", self.program),
        );
        if let Some(line) = self.without_agent.take() {
            self.printer.line(line);
        }
    }

    fn step(&self, what: &str, command: &str) {
        self.printer.line(Line::from(format!("  {what}:")));
        self.printer.line(Line::from("    ").then(Style::Accent, command));
    }
}

fn about(task: &Task, what: &str, style: Style) -> Line {
    Line::styled(Style::Faint, format!("{}  ", task.id.short()))
        .plain(format!("{:<36}", task.name))
        .then(style, what)
}
