//! Exports to be read: everything is there, each thing in its place, and whatever anybody said does nothing.

use crate::{diffs::keep, lab::*, on_both, runs::checkpoint};
use makima_model::{CheckpointMade, Message, MessageRole, Record, RunOutcome, TaskId, ToolCall};
use makima_wire::{
    CreateContract, CreateSnapshot, CreateTask, ExportFormat, ExportQuery, RestoreSnapshot, Task,
};
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::json;

/// What somebody says who means harm: to a browser, a reader of Markdown, a terminal, and whoever reads.
const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\n\n# Not our heading\n\n\
    <div onclick='x'>\n\n![seen](http://evil.example/seen.png) [here](javascript:alert(1)) <javascript:alert(1)>\n\n\
    ```js\nlet ticks = '```';\n```\n\n````\n<script>alert(2)</script>\n````\n\n\
    &lt;b&gt; \u{202e}turned\u{202c} \u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}\n\n[good](https://example.com/?a=1&b=2) `a < b`";
const PATCH: &str = "diff --git a/<b>.txt b/<b>.txt\nindex 0000001..0000002 100644\n--- a/<b>.txt\n+++ b/<b>.txt\n\
    @@ -1,2 +1,2 @@ fn </pre>\n one\n-</pre><script>alert(3)</script>\n+``````\n";

async fn page(
    lab: &Lab,
    of: Option<TaskId>,
    contract: Option<makima_model::ContractId>,
    format: ExportFormat,
) -> String {
    let how = ExportQuery { format: Some(format), code: None };
    let mut export = match (of, contract) {
        (Some(task), _) => lab.client.export_task(task, &how).await.unwrap(),
        (None, Some(contract)) => lab.client.export_contract(contract, &how).await.unwrap(),
        (None, None) => unreachable!(),
    };
    let mut page = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        page.extend_from_slice(&piece);
    }
    String::from_utf8(page).unwrap()
}

/// A task whose agent, user and code mean harm.
async fn hostile(lab: &Lab, daemon: &mut LabDaemon, name: &str) -> Task {
    let wanted = CreateTask {
        plan: "one".into(),
        name: Some(name.into()),
        repository: Some("/srv/<project>".into()),
        ..CreateTask::default()
    };
    let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
    let start = daemon.start().await;
    let at = || "2026-01-15T09:30:00.000001Z".parse().unwrap();
    let mut asks = Message::said(lab.clock.new_id(), MessageRole::Assistant, HOSTILE, at());
    asks.thinking = Some("</div><script>alert(4)</script>".into());
    (asks.token_count, asks.model) = (Some(12_345), Some("<model>".into()));
    let call = |id: &str, input| ToolCall { id: id.into(), name: "Bash<b>".into(), input };
    asks.tool_calls = vec![
        call(
            "one",
            json!({ "command": "echo '```'\n</summary><script>", "timeout": 5, "more": { "a": [1] } }),
        ),
        call("two", json!({})),
    ];
    let mut result = Message::said(lab.clock.new_id(), MessageRole::Tool, "", at());
    (result.tool_call_id, result.tool_name) = (Some("one".into()), Some("Bash<b>".into()));
    (result.tool_result, result.is_error) =
        (Some("````\n# heading\n</pre><script>alert(5)</script>".into()), Some(true));
    let mut cut = Message::said(lab.clock.new_id(), MessageRole::Assistant, "And then", at());
    cut.incomplete = true;
    let mut first = CheckpointMade { patch: Some(keep(lab, PATCH).await), ..checkpoint(lab, 1, Some(1)) };
    (first.at, first.message) = (at(), "<i>kept</i> ``` and [more](javascript:x)".into());
    let mut second = CheckpointMade { previous: Some(first.id), ..checkpoint(lab, 2, Some(2)) };
    second.at = at();
    let mut records = begun(&task);
    records.extend([
        heard(start.inputs[0].id, at(), HOSTILE),
        Record::Message { message: asks },
        Record::Message { message: result },
        turn(0.25),
        Record::Checkpoint(first),
        Record::Message { message: cut },
        turn(0.0),
        Record::Checkpoint(second),
        ended(RunOutcome::Completed),
    ]);
    daemon.tell(start.run, 1, records).await;
    lab.until(&task, |task| task.checkpoint_count == 2 && task.status.is_over()).await
}

/// The page with what differs from run to run named.
fn named(page: &str, task: &Task) -> String {
    let mut page = page.replace(&task.id.to_string(), "[task]").replace(&task.id.short(), "[short]");
    if let (Some(from), Some(to)) = (page.find("<style>"), page.find("</style>")) {
        page.replace_range(from + "<style>".len()..to, "[style]");
    }
    if let Some((_, hash)) = page.split_once("'sha256-") {
        page = page.replace(hash.split('\'').next().unwrap(), "[hash]");
    }
    let mut out = String::new();
    for line in page.split_inclusive('\n') {
        let is_now = ["Exported", "Begun", "Ended"].iter().any(|what| line.contains(what));
        // Times that are the test's own stay.
        out.push_str(&if is_now { without_times(line) } else { line.to_owned() });
    }
    out
}

fn without_times(line: &str) -> String {
    let mut out = line.to_owned();
    while let Some(end) = out.find(" UTC") {
        out.replace_range(end - 19..end + 4, "[time]");
    }
    out
}

on_both! {
    async fn nothing_that_is_said_does_anything_in_a_page_of_html(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = hostile(&lab, &mut daemon, "Tell <b>\"all\"</b> & `more`").await;
        let html = page(&lab, Some(task.id), None, ExportFormat::Html).await;
        for never in ["<script", "<img", "<div onclick", "<b>\"all", "<i>kept", "href=\"javascript", "\u{202e}", "\u{1b}", "\u{7}"] {
            assert!(!html.contains(never), "{never:?} in {html}");
        }
        // All tags are ours, or what Markdown makes.
        let mut tags: Vec<&str> = html.split('<').skip(1).map(|tag| tag.split([' ', '>']).next().unwrap().trim_start_matches('/')).collect();
        tags.sort_unstable();
        tags.dedup();
        let known = [
            "!doctype", "a", "article", "b", "body", "code", "dd", "details", "div", "dl", "dt", "footer", "h1", "head", "header", "html",
            "main", "meta", "p", "pre", "section", "span", "style", "summary", "time", "title",
        ];
        assert_eq!(tags, known);
        let links: Vec<&str> = html.match_indices("href=\"").map(|(at, _)| html[at + 6..].split('"').next().unwrap()).collect();
        assert!(links.iter().all(|link| link.starts_with('#') || *link == "http://evil.example/seen.png" || link.starts_with("https://example.com/")), "{links:?}");
        insta::assert_snapshot!("a_page_of_html", named(&html, &task));
    }

    async fn nothing_that_is_said_does_anything_in_a_page_of_markdown(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = hostile(&lab, &mut daemon, "Tell <b>\"all\"</b> & `more`").await;
        let markdown = page(&lab, Some(task.id), None, ExportFormat::Markdown).await;
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut headings = 0;
        let mut depth = 0;
        for event in Parser::new_ext(&markdown, options) {
            match event {
                Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Image { .. }) => panic!("{event:?} in {markdown}"),
                Event::Start(Tag::Link { dest_url, .. }) => assert!(dest_url.starts_with("http"), "{dest_url}"),
                Event::Start(Tag::BlockQuote(_)) => depth += 1,
                Event::End(pulldown_cmark::TagEnd::BlockQuote(_)) => depth -= 1,
                Event::Start(Tag::Heading { .. }) if depth == 0 => headings += 1,
                _ => {}
            }
        }
        // The page, three messages and two checkpoints: no heading of anybody else's stands among ours.
        assert_eq!(headings, 6, "{markdown}");
        assert!(!markdown.contains(['\u{202e}', '\u{1b}', '\u{7}']));
        insta::assert_snapshot!("a_page_of_markdown", named(&markdown, &task));
    }

    async fn a_contract_s_page_has_all_its_tasks_as_they_are_now(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let contract = CreateContract { name: "Parser".into(), description: "It <parses>.".into(), repository: "/srv/project".into(), ..CreateContract::default() };
        let contract = daemon.beside(lab.client.create_contract(&contract)).await.unwrap();
        let mut tasks = Vec::new();
        for plan in ["first", "second"] {
            let wanted = CreateTask { plan: plan.into(), contract_id: Some(contract.id), ..CreateTask::default() };
            let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
            let start = daemon.start().await;
            let mut records = begun(&task);
            records.push(heard(start.inputs[0].id, lab.clock.now(), plan));
            let kept = records.len() as u64;
            daemon.tell(start.run, 1, records).await;
            let taken = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
            let gone = said(&lab.clock, MessageRole::Assistant, &format!("gone of {plan}"));
            daemon.tell(start.run, kept + 1, vec![gone, ended(RunOutcome::Completed)]).await;
            lab.until(&task, |task| task.status.is_over()).await;
            lab.client.restore_snapshot(task.id, taken.id, RestoreSnapshot::default()).await.unwrap();
            tasks.push(task);
        }
        for format in [ExportFormat::Html, ExportFormat::Markdown] {
            let page = page(&lab, None, Some(contract.id), format).await;
            let places: Vec<_> = tasks.iter().map(|task| page.find(&task.id.to_string()).unwrap()).collect();
            assert!(places.is_sorted() && page.contains("This is the end of it."));
            // What was rewound away is in the archive.
            assert!(page.contains("first") && !page.contains("gone of"), "{page}");
        }
    }
}
