//! A page as Markdown. What is not ours stands in fences that are longer than any in it, in quotes without HTML, or escaped.

use super::{
    html::is_of_the_web,
    input::{brief, whole},
    paper::{Checkpointed, Headline, Paper, Said, Used},
    words::{BINARY, LEFT_OUT, NOT_KEPT, changed, facts, file, first_line, hunk, moment, sign, taken},
};
use makima_model::{MessageRole, TaskId, clean, diff::FileDiff};
use makima_store::Task;
use pulldown_cmark::{Event, Options, Parser, Tag};

/// Markdown.
pub(super) struct Markdown;

/// A text in a line of ours, in which nothing means anything.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '&' | '~' | '!' | '@' => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    out
}

/// The longest row of backticks in a text.
fn ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A text of one line as code.
fn code(text: &str) -> String {
    let text = clean(text).replace(['\n', '\t'], " ");
    let fence = "`".repeat(ticks(&text) + 1);
    format!("{fence} {text} {fence}")
}

/// A text between fences.
fn fenced(kind: &str, text: &str) -> String {
    let text = clean(text);
    let fence = "`".repeat((ticks(&text) + 1).max(3));
    format!("{fence}{kind}\n{}\n{fence}\n\n", text.trim_end_matches('\n'))
}

/// What somebody wrote as Markdown, as a quote of which nothing does anything.
fn quoted(markdown: &str) -> String {
    let quote = |text: &str| text.lines().map(|line| format!("> {line}\n")).collect::<String>();
    let markdown = clean(markdown);
    let mut text = quote(&markdown);
    let mut found: Vec<usize> = active(&text);
    found.dedup();
    for at in found.into_iter().rev() {
        text.insert(at, '\\');
    }
    // What it takes to make it harmless may make something else of it: then it is shown as it is.
    if active(&text).is_empty() { text + "\n" } else { quote(&fenced("", &markdown)) + "\n" }
}

/// Where HTML, pictures and links that don't lead to the web begin, in their order.
fn active(markdown: &str) -> Vec<usize> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut found: Vec<usize> = Parser::new_ext(markdown, options)
        .into_offset_iter()
        .flat_map(|(event, range)| match event {
            Event::Html(_) | Event::InlineHtml(_) => {
                let html = markdown.get(range.clone()).unwrap_or_default();
                html.match_indices('<').map(|(at, _)| range.start + at).collect()
            }
            Event::Start(Tag::Image { .. }) => vec![range.start],
            Event::Start(Tag::Link { dest_url, .. }) if !is_of_the_web(&dest_url) => vec![range.start],
            _ => Vec::new(),
        })
        .collect();
    found.sort_unstable();
    found
}

fn list(out: &mut String, facts: &[(&'static str, String)]) {
    for (name, fact) in facts {
        out.push_str(&format!("* {name}: {}\n", inline(fact)));
    }
    out.push('\n');
}

impl Paper for Markdown {
    fn begin(&self, out: &mut String, headline: &Headline) {
        out.push_str(&format!("# {}\n\n", inline(&headline.name)));
        let exported = format!("{} by Makima {}", moment(headline.exported_at), headline.makima);
        list(out, &[headline.facts.as_slice(), &[("Exported", exported)]].concat());
        if !headline.description.is_empty() {
            out.push_str(&quoted(&headline.description));
        }
    }

    fn task(&self, out: &mut String, task: &Task, is_alone: bool) {
        if !is_alone {
            out.push_str(&format!("## {}\n\n", inline(&task.name)));
            list(out, &facts(task));
        }
    }

    fn run(&self, out: &mut String, number: i64) {
        let told = if number == 0 { "imported".to_owned() } else { format!("run {number}") };
        out.push_str(&format!("---\n\n*{told}*\n\n"));
    }

    fn said(&self, out: &mut String, _: TaskId, said: &Said<'_>) {
        let Said { index, turn, message } = said;
        let who = match message.role {
            MessageRole::User => "User",
            MessageRole::Assistant => "Agent",
            MessageRole::System | MessageRole::Tool => "System",
        };
        let turn = turn.map(|turn| format!("turn {turn}"));
        let cut = message.incomplete.then(|| "**cut off here**".to_owned());
        let taken = taken(message).into_iter().map(|taken| inline(&taken));
        let mut told = vec![format!("#{index}")];
        told.extend(turn);
        told.push(moment(message.timestamp));
        told.extend(taken);
        told.extend(cut);
        out.push_str(&format!("### {who}\n\n{}\n\n", told.join(" · ")));
        if let Some(thinking) = &message.thinking {
            out.push_str(&format!("Thinking:\n\n{}", fenced("text", thinking)));
        }
        if !message.content.is_empty() {
            out.push_str(&quoted(&message.content));
        }
    }

    fn used(&self, out: &mut String, _: TaskId, used: &Used<'_>) {
        out.push_str(&format!("**{}**", inline(used.name)));
        if let Some(brief) =
            used.input.as_ref().map(|input| brief(input, used.folder)).filter(|brief| !brief.is_empty())
        {
            out.push_str(&format!(" {}", code(&brief)));
        }
        for (is_so, told) in
            [(used.is_error, "failed"), (used.result.is_none(), "no result"), (used.is_incomplete, "cut off")]
        {
            if is_so {
                out.push_str(&format!(" · {told}"));
            }
        }
        out.push_str("\n\n");
        if let Some(input) = used.input.as_ref().map(whole).filter(|input| !input.is_empty()) {
            out.push_str(&fenced("text", &input));
        }
        if let Some(result) = used.result.filter(|result| !result.is_empty()) {
            out.push_str(&format!("Result:\n\n{}", fenced("text", result)));
        }
    }

    fn checkpoint(&self, out: &mut String, _: TaskId, checkpoint: &Checkpointed<'_>) {
        let made = checkpoint.made;
        out.push_str(&format!("### Checkpoint {}\n\n", made.number));
        out.push_str(&format!(
            "{} · {} · {} · {}\n\n",
            inline(&first_line(&made.message, 120)),
            moment(made.at),
            code(&made.commit_sha),
            changed(checkpoint)
        ));
        match checkpoint.diff {
            Some(diff) => diff.files.iter().for_each(|file| of_file(out, file)),
            None => out.push_str(&format!("{NOT_KEPT}\n\n")),
        }
    }

    fn end_task(&self, _: &mut String) {}

    fn end(&self, out: &mut String) {
        out.push_str("---\n\nThis is the end of it.\n");
    }
}

fn of_file(out: &mut String, changed: &FileDiff) {
    let lines = format!("+{} −{}", changed.additions, changed.deletions);
    out.push_str(&format!("{} · {lines}", code(&file(changed))));
    if let (Some(old), Some(new)) = (&changed.old_mode, &changed.new_mode) {
        out.push_str(&format!(" · mode {} → {}", inline(old), inline(new)));
    }
    for (is_so, told) in [(changed.binary, BINARY), (changed.truncated, LEFT_OUT)] {
        if is_so {
            out.push_str(&format!(" · {told}"));
        }
    }
    out.push_str("\n\n");
    if changed.hunks.is_empty() {
        return;
    }
    let mut text = String::new();
    for of_it in &changed.hunks {
        text.push_str(&format!("{}\n", hunk(of_it)));
        for line in &of_it.lines {
            text.push_str(&format!("{}{}\n", sign(line.kind), line.text));
        }
    }
    out.push_str(&fenced("diff", &text));
}
