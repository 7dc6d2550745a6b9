//! How tasks come to daemons, and how their runs go.

use crate::{lab::*, on_both};
use makima_model::{
    CheckpointKind, CheckpointMade, FileAction, FileChange, MessageRole, Question, QuestionKind, Record,
    RunEnd, RunOutcome, StopReason, TaskStatus,
};
use makima_server::Settings;
use makima_wire::{
    AnswerQuestion, Code, CreateCheckpoint, CreateContract, CreateTask, List, ListTasks, OfContract,
    frame::{Checkpointed, Command, CommandOutcome, CommandResult, Refusal, StartRun, ToDaemon},
};
use std::time::Duration;

fn checkpoint(lab: &Lab, number: i64, turn: Option<u32>) -> CheckpointMade {
    CheckpointMade {
        id: lab.clock.new_id(),
        number,
        kind: if turn.is_some() { CheckpointKind::Turn } else { CheckpointKind::Manual },
        turn,
        at: lab.clock.now(),
        commit_sha: format!("{number:040}"),
        branch_name: "makima/one".into(),
        message: format!("turn {number}"),
        previous: None,
        files_changed: vec![FileChange {
            path: "hello.txt".into(),
            path_bytes: None,
            action: FileAction::Added,
            old_path: None,
            additions: 1,
            deletions: 0,
            binary: false,
        }],
        lines_added: 1,
        lines_removed: 0,
        not_held: Vec::new(),
        patch: None,
    }
}

/// Soon silent, so that the test needn't wait long; the daemon of these tests sends no heartbeats of its own.
fn impatient() -> Settings {
    let short = Duration::from_secs(1);
    Settings { silence: short, grace: Duration::ZERO, ..Settings::default() }
}

on_both! {
    async fn a_task_waits_for_a_daemon_and_says_so(engine) {
        let lab = Lab::new(engine).await;
        let task = lab.task("one").await;
        assert_eq!(task.status, TaskStatus::Pending);
        assert!(task.status_reason.unwrap().contains("none is connected"));
        let mut daemon = lab.daemon().await;
        assert_eq!(daemon.start().await.task, task.id);
        let daemons = lab.client.daemons().await.unwrap().daemons;
        assert_eq!((daemons.len(), daemons[0].running_tasks, daemons[0].name.as_str()), (1, 1, "desk"));
    }

    async fn a_full_daemon_takes_the_next_task_when_the_first_has_ended(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let first = daemon.beside(lab.task("one")).await;
        let second = daemon.beside(lab.task("two")).await;
        assert!(second.status_reason.unwrap().contains("full"));
        let start = daemon.start().await;
        assert_eq!(start.task, first.id);
        let mut records = begun(&first);
        records.push(ended(RunOutcome::Completed));
        daemon.tell(start.run, 1, records).await;
        assert_eq!(daemon.start().await.task, second.id);
    }

    async fn a_task_goes_to_the_least_loaded_daemon_that_reaches_its_repository(engine) {
        let lab = Lab::new(engine).await;
        let (mut near, mut far) = (lab.daemon().await, lab.daemon().await);
        let create = |repository: &str, target| {
            let wanted = CreateTask {
                plan: "x".into(),
                repository: Some(repository.into()),
                target_daemon_id: target,
                ..CreateTask::default()
            };
            let client = lab.client.clone();
            tokio::spawn(async move { client.create_task(&wanted).await.unwrap() })
        };
        let refusal = || {
            let message = "there is no such folder here".into();
            CommandOutcome::Refused(Refusal { code: Code::RepositoryNotFound, message })
        };
        // Whoever it would go to otherwise: the one that can't reach it doesn't get it.
        let making = create("/srv/near", None);
        let look = far.look().await;
        far.finish(look, refusal()).await;
        let first = near.beside(making).await.unwrap();
        assert_eq!((near.start().await.task, first.daemon_id), (first.id, Some(near.id)));
        // Both reach the next; one of them is busy.
        let making = create("/srv/both", None);
        let second = near.beside(far.beside(making)).await.unwrap();
        assert_eq!((far.start().await.task, second.daemon_id), (second.id, Some(far.id)));
        // The one that was asked for, and no other, however busy it is.
        let making = create("/srv/both", Some(near.id));
        let third = near.beside(far.beside(making)).await.unwrap();
        assert_eq!((third.status, third.daemon_id), (TaskStatus::Pending, None));
        assert!(third.status_reason.unwrap().contains("full"));
    }

    async fn a_daemon_that_connects_gets_only_the_waiting_tasks_whose_repository_it_reaches(engine) {
        let lab = Lab::new(engine).await;
        let task = lab.task("one").await;
        let mut far = lab.daemon().await;
        let look = far.look().await;
        let refusal = Refusal { code: Code::RepositoryNotFound, message: "no such folder".into() };
        far.finish(look, CommandOutcome::Refused(refusal)).await;
        let waits = lab.until(&task, |task| {
            task.status_reason.as_deref().is_some_and(|reason| reason.contains("reaches the repository"))
        });
        assert_eq!(waits.await.status, TaskStatus::Pending);
        let mut near = lab.daemon().await;
        assert_eq!(near.start().await.task, task.id);
    }

    async fn a_task_that_shall_not_start_waits_for_its_first_message(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let wanted = CreateTask {
            plan: "one".into(),
            repository: Some("/srv/project".into()),
            start: Some(false),
            ..CreateTask::default()
        };
        let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
        assert_eq!((task.status, task.run_number), (TaskStatus::Pending, 0));
        daemon.beside(lab.client.send_message(task.id, "go")).await.unwrap();
        let inputs: Vec<String> = daemon.start().await.inputs.into_iter().map(|input| input.content).collect();
        assert_eq!(inputs, ["one", "go"]);
    }

    async fn a_contract_gives_its_tasks_what_they_leave_out(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let contract = CreateContract {
            name: "Login".into(),
            repository: "/srv/project".into(),
            base_branch: Some("develop".into()),
            agent: Some("scripted".into()),
            ..CreateContract::default()
        };
        let contract = daemon.beside(lab.client.create_contract(&contract)).await.unwrap();
        let wanted = CreateTask { plan: "one".into(), contract_id: Some(contract.id), ..CreateTask::default() };
        let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
        assert_eq!((task.repository.as_str(), task.base_branch.as_deref()), ("/srv/project", Some("develop")));
        let start = daemon.start().await;
        assert_eq!((start.contract, start.base_branch.as_deref()), (Some(contract.id), Some("develop")));
        let known = lab.client.contract(contract.id).await.unwrap();
        assert_eq!((known.id, known.name, known.updated_at), (contract.id, contract.name, contract.updated_at));
        let of_contract = lab.client.tasks(&ListTasks { contract_id: Some(OfContract::One(contract.id)), ..ListTasks::default() }).await.unwrap();
        assert_eq!((of_contract.tasks.len(), of_contract.total_count), (1, 1));
    }

    async fn a_repository_that_no_daemon_reaches_makes_no_task(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let client = lab.client.clone();
        let asking = tokio::spawn(async move {
            let wanted = CreateTask { plan: "x".into(), repository: Some("/srv/none".into()), ..CreateTask::default() };
            client.create_task(&wanted).await
        });
        let command = daemon.look().await;
        let refusal = Refusal { code: Code::RepositoryNotFound, message: "/srv/none is no git repository".into() };
        daemon.finish(command, CommandOutcome::Refused(refusal)).await;
        let error = asking.await.unwrap().unwrap_err();
        assert_eq!(error.code(), Some(Code::RepositoryNotFound));
        assert!(error.to_string().contains("/srv/none is no git repository"));
        assert_eq!(lab.client.tasks(&ListTasks::default()).await.unwrap().total_count, 0);
    }

    async fn an_agent_that_no_daemon_has_makes_no_task(engine) {
        let lab = Lab::new(engine).await;
        let _daemon = lab.daemon().await;
        let wanted = CreateTask {
            plan: "x".into(),
            repository: Some("/srv/project".into()),
            agent: Some("gemini".into()),
            ..CreateTask::default()
        };
        let error = lab.client.create_task(&wanted).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::AgentNotFound));
        assert!(error.to_string().contains("\"gemini\" (there: scripted)"), "{error}");
        assert_eq!(lab.client.tasks(&ListTasks::default()).await.unwrap().total_count, 0);
    }

    async fn a_message_to_a_live_run_is_handed_to_it_and_one_that_came_too_late_begins_the_next(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let sent = daemon.beside(lab.client.send_message(task.id, "and two")).await.unwrap();
        let (command, Command::Input { run, input }) = daemon.command().await else { panic!("no input") };
        assert_eq!((run, input.id, input.content.as_str()), (start.run, sent.message_id, "and two"));
        let refusal = Refusal { code: Code::NotRunning, message: "the run takes no more".into() };
        daemon.finish(command, CommandOutcome::Refused(refusal)).await;
        let first = &start.inputs[0];
        daemon.tell(start.run, 4, vec![heard(first.id, lab.clock.now(), "one"), ended(RunOutcome::Completed)]).await;
        let again = daemon.start().await;
        assert_eq!(again.inputs.iter().map(|input| input.id).collect::<Vec<_>>(), [sent.message_id]);
    }

    async fn a_question_makes_the_task_wait_until_it_is_answered(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        let question = Question {
            id: lab.clock.new_id(),
            kind: QuestionKind::Permission,
            text: "May I run make?".into(),
            choices: None,
            tool_name: Some("Bash".into()),
            tool_input: Some(serde_json::json!({ "command": "make" })),
        };
        let mut records = begun(&task);
        records.push(Record::Asked { question: question.clone() });
        daemon.tell(start.run, 1, records).await;
        let waiting = lab.client.task(task.id).await.unwrap();
        assert_eq!((waiting.status, waiting.pending_question), (TaskStatus::Waiting, Some(question.clone())));

        let wrong = AnswerQuestion { question_id: question.id, answer: "perhaps".into(), message: None };
        assert_eq!(lab.client.answer(task.id, &wrong).await.unwrap_err().code(), Some(Code::Unprocessable));
        let client = lab.client.clone();
        let denial = AnswerQuestion { question_id: question.id, answer: "deny".into(), message: Some("not yet".into()) };
        let answering = tokio::spawn({
            let denial = denial.clone();
            async move { client.answer(task.id, &denial).await }
        });
        let (command, Command::Answer { question: asked, answer, .. }) = daemon.command().await else { panic!() };
        assert_eq!(asked, question.id);
        assert_eq!(answer, makima_model::Answer::Deny { message: Some("not yet".into()) });
        daemon.tell(start.run, 5, vec![Record::Answered { question: asked, answer: Some(answer) }]).await;
        daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
        let running = answering.await.unwrap().unwrap();
        assert_eq!((running.status, running.pending_question), (TaskStatus::Running, None));
        assert_eq!(lab.client.answer(task.id, &denial).await.unwrap_err().code(), Some(Code::Conflict));
    }

    async fn a_stop_is_answered_when_the_run_has_ended(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let client = lab.client.clone();
        let stopping = tokio::spawn(async move { client.stop_task(task.id).await });
        let (command, Command::Stop { run, reason }) = daemon.command().await else { panic!("no stop") };
        assert_eq!((run, reason), (start.run, StopReason::Owner));
        let end = RunEnd { outcome: RunOutcome::Interrupted, reason: Some("stopped by its owner".into()), failure: None };
        daemon.tell(start.run, 4, vec![said(&lab.clock, MessageRole::Assistant, "I st"), Record::Ended(end)]).await;
        daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
        let stopped = stopping.await.unwrap().unwrap();
        assert_eq!((stopped.status, stopped.message_count), (TaskStatus::Interrupted, 1));
        assert_eq!(stopped.status_reason.as_deref(), Some("stopped by its owner"));
        assert_eq!(lab.client.stop_task(stopped.id).await.unwrap_err().code(), Some(Code::NotRunning));
    }

    async fn checkpoints_hold_the_position_of_the_conversation(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let early = lab.client.create_checkpoint(task.id, &CreateCheckpoint::default()).await.unwrap_err();
        assert_eq!(early.code(), Some(Code::Conflict));
        let start = daemon.start().await;
        let made = checkpoint(&lab, 1, Some(1));
        let mut records = begun(&task);
        records.extend([
            said(&lab.clock, MessageRole::Assistant, "a"),
            turn(0.0),
            Record::Checkpoint(made.clone()),
            said(&lab.clock, MessageRole::Assistant, "b"),
        ]);
        daemon.tell(start.run, 1, records).await;

        let client = lab.client.clone();
        let message = CreateCheckpoint { message: Some("by hand".into()) };
        let making = tokio::spawn(async move { client.create_checkpoint(task.id, &message).await });
        let (command, Command::Checkpoint { id, message, last, .. }) = daemon.command().await else { panic!() };
        assert_eq!((message.as_str(), last.unwrap().number), ("by hand", 1));
        let by_hand = CheckpointMade { id, previous: Some(made.id), ..checkpoint(&lab, 2, None) };
        let result = CommandResult::Checkpoint(Box::new(Checkpointed { made: by_hand }));
        // What is said before the result counts, however soon it follows.
        daemon.post(start.run, 8, vec![said(&lab.clock, MessageRole::Assistant, "c")]).await;
        daemon.finish(command, CommandOutcome::Done(result)).await;
        let answered = making.await.unwrap().unwrap().made().unwrap();
        assert_eq!((answered.checkpoint_number, answered.message_count, answered.kind), (2, 3, CheckpointKind::Manual));

        let list = lab.client.checkpoints(task.id, &List::default()).await.unwrap();
        let counts: Vec<(i64, i64)> =
            list.checkpoints.iter().map(|row| (row.checkpoint_number, row.message_count)).collect();
        assert_eq!((counts, list.total_count), (vec![(2, 3), (1, 1)], 2));
        assert_eq!(list.checkpoints[0].previous_checkpoint_id, Some(made.id));
        assert_eq!(list.checkpoints[1].files_changed, made.files_changed);
        let now = lab.client.task(task.id).await.unwrap();
        assert_eq!((now.checkpoint_count, now.last_checkpoint_sha), (2, Some(format!("{:040}", 2))));
    }

    async fn a_run_that_was_given_up_for_silence_goes_on_when_its_daemon_returns(engine) {
        let lab = Lab::with(engine, impatient()).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let lost = lab.until(&task, |task| task.status == TaskStatus::Interrupted).await;
        assert!(lost.status_reason.unwrap().contains("no longer heard of"));
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[start.run]).await;
        assert!(!daemon.known[0].replaced);
        assert_eq!(lab.client.task(task.id).await.unwrap().status, TaskStatus::Running);
        daemon.tell(start.run, 4, vec![said(&lab.clock, MessageRole::Assistant, "still here")]).await;
        assert_eq!(lab.client.conversation(task.id).await.unwrap().messages.len(), 1);
        lab.verify().await;
    }

    async fn a_run_of_which_its_daemon_knows_nothing_is_over(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        LabDaemon::connect(&lab, daemon.id, &[]).await;
        let lost = lab.until(&task, |task| task.status == TaskStatus::Interrupted).await;
        assert_eq!(lost.status_reason.as_deref(), Some("its daemon no longer knows of it"));
        lab.verify().await;
    }

    async fn a_start_that_was_not_acknowledged_is_sent_again(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let (_, Command::StartRun(first)) = daemon.command().await else { panic!("no start") };
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[]).await;
        // With another key: the server keeps none that it could tell twice.
        let again = daemon.start().await;
        assert_ne!(again.tool_key, first.tool_key);
        assert_eq!(StartRun { tool_key: None, ..again }, StartRun { tool_key: None, ..*first });
        assert_eq!(lab.client.task(task.id).await.unwrap().status, TaskStatus::Starting);
        lab.verify().await;
    }

    /// Fault: the server is killed
    /// Moment: when entries of a run are stored and not acknowledged
    /// Outcome: the next server says in its welcome that it has them; sent again all the same, they are there once
    /// Moment: when what came of a command is stored and not acknowledged
    /// Outcome: it is settled when it comes again, and has had its effect once
    async fn what_is_stored_and_not_acknowledged_outlives_the_server_and_is_there_once(engine) {
        let mut lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let mut words: Vec<Record> =
            ["a", "b", "c"].map(|word| said(&lab.clock, MessageRole::Assistant, word)).into();
        lab.failpoints.freeze_at("entries.taken");
        daemon.post(start.run, 4, words[..2].to_vec()).await;
        lab.frozen().await;
        lab.crash().await;
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[start.run]).await;
        assert_eq!(daemon.known[0].last_entry, 5);
        words.push(turn(0.5));
        daemon.tell(start.run, 4, words).await;
        let told = lab.client.conversation(task.id).await.unwrap().messages;
        assert_eq!(told.iter().map(|message| message.content.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(lab.client.task(task.id).await.unwrap().total_cost, 0.5);

        let asked = CreateCheckpoint::default();
        let client = lab.client.clone();
        let asking = tokio::spawn(async move { client.create_checkpoint(task.id, &asked).await });
        let (command, Command::Checkpoint { id, .. }) = daemon.command().await else { panic!("no checkpoint") };
        let made = Checkpointed { made: CheckpointMade { id, ..checkpoint(&lab, 1, None) } };
        let outcome = CommandOutcome::Done(CommandResult::Checkpoint(Box::new(made)));
        lab.failpoints.freeze_at("result.taken");
        daemon.finish(command, outcome.clone()).await;
        lab.frozen().await;
        lab.crash().await;
        asking.abort();
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[start.run]).await;
        daemon.finish(command, outcome).await;
        daemon.settled(command).await;
        let now = lab.client.task(task.id).await.unwrap();
        assert_eq!(now.checkpoint_count, 1);
        lab.verify().await;
    }

    async fn late_words_of_a_replaced_run_go_to_a_side_branch(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let first = daemon.start().await;
        let mut records = begun(&task);
        records.push(said(&lab.clock, MessageRole::Assistant, "a"));
        daemon.tell(first.run, 1, records).await;
        // The server takes the run for lost; its owner has the task go on.
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[]).await;
        lab.until(&task, |task| task.status == TaskStatus::Interrupted).await;
        lab.client.send_message(task.id, "again").await.unwrap();
        let second = daemon.start().await;
        let mut records = begun(&task);
        records.push(said(&lab.clock, MessageRole::Assistant, "b"));
        daemon.tell(second.run, 1, records).await;
        // Then the first is back from the dead.
        let late = vec![said(&lab.clock, MessageRole::Assistant, "late"), turn(0.0), ended(RunOutcome::Completed)];
        daemon.tell(first.run, 5, late).await;
        daemon.tell(second.run, 5, vec![said(&lab.clock, MessageRole::Assistant, "c")]).await;
        let texts: Vec<String> =
            lab.client.conversation(task.id).await.unwrap().messages.into_iter().map(|message| message.content).collect();
        assert_eq!(texts, ["a", "b", "c"]);
        assert_eq!(lab.client.task(task.id).await.unwrap().status, TaskStatus::Running);
        // It is kept: the task's output has it.
        let output = lab.client.output(task.id, &List::default()).await.unwrap();
        assert!(output.events.iter().any(|event| event.event_data["message"]["content"] == "late"));
        let known = LabDaemon::connect(&lab, daemon.id, &[first.run, second.run]).await.known;
        assert_eq!(known.iter().map(|run| run.replaced).collect::<Vec<_>>(), [true, false]);
        lab.verify().await;
    }

    async fn a_second_connection_of_a_daemon_ends_the_first(engine) {
        let lab = Lab::new(engine).await;
        let mut first = lab.daemon().await;
        let _second = LabDaemon::connect(&lab, first.id, &[]).await;
        while let Some(frame) = first.frame().await {
            assert!(matches!(frame, ToDaemon::Command { .. }), "{frame:?}");
        }
    }
}
