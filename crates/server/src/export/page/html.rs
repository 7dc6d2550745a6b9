//! A page as HTML that needs nothing else: no script, no picture, no font, no request. Whatever is not ours is escaped, and the page's
//! own policy allows nothing but its style.

use super::{
    input::{brief, whole},
    paper::{Checkpointed, Headline, Paper, Said, Used},
    words::{
        BINARY, LEFT_OUT, NOT_KEPT, changed, facts, file, first_line, hunk, moment, number, sign, taken,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use makima_model::{
    MessageRole, TaskId, clean,
    diff::{FileDiff, LineKind},
};
use makima_store::Task;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// HTML.
pub(super) struct Html;

/// Text as it is shown: without anything that means something to a browser or turns text around.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Markdown as the agent writes it. HTML in it is text, pictures are links, and links lead to the web alone.
fn prose(markdown: &str) -> String {
    let markdown = clean(markdown);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut are_links = Vec::new();
    let events = Parser::new_ext(&markdown, options).filter_map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(
            Tag::Link { link_type, dest_url, title, id } | Tag::Image { link_type, dest_url, title, id },
        ) => {
            let is_link = is_of_the_web(&dest_url);
            are_links.push(is_link);
            is_link.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            are_links.pop().unwrap_or_default().then_some(Event::End(TagEnd::Link))
        }
        event => Some(event),
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    out
}

/// Whether an address is one that may be followed.
pub(super) fn is_of_the_web(address: &str) -> bool {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| ["http", "https", "mailto"].contains(&scheme.as_str()))
}

fn list(out: &mut String, facts: &[(&'static str, String)]) {
    out.push_str("<dl>");
    for (name, fact) in facts {
        out.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", text(fact)));
    }
    out.push_str("</dl>\n");
}

/// Where a message is on the page.
fn place(task: TaskId, index: i64) -> String {
    format!("{}-{index}", task.short())
}

impl Paper for Html {
    fn begin(&self, out: &mut String, headline: &Headline) {
        let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.push_str(&format!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; \
             base-uri 'none'; form-action 'none'\">\n"
        ));
        out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
        out.push_str("<meta name=\"referrer\" content=\"no-referrer\">\n");
        out.push_str(&format!("<title>{}</title>\n", text(&first_line(&headline.name, 200))));
        out.push_str(&format!("<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"));
        out.push_str(&format!("<h1>{}</h1>\n", text(&headline.name)));
        let exported = format!("{} by Makima {}", moment(headline.exported_at), headline.makima);
        list(out, &[headline.facts.as_slice(), &[("Exported", exported)]].concat());
        if !headline.description.is_empty() {
            out.push_str(&format!("<p class=\"intro\">{}</p>\n", text(&headline.description)));
        }
    }

    fn task(&self, out: &mut String, task: &Task, is_alone: bool) {
        out.push_str(&format!("<article id=\"{}\">\n", task.id.short()));
        if !is_alone {
            out.push_str(&format!("<h2>{}</h2>\n", text(&task.name)));
            list(out, &facts(task));
        }
    }

    fn run(&self, out: &mut String, number: i64) {
        let told = if number == 0 { "imported".to_owned() } else { format!("run {number}") };
        out.push_str(&format!("<div class=\"run\">{told}</div>\n"));
    }

    fn said(&self, out: &mut String, task: TaskId, said: &Said<'_>) {
        let Said { index, turn, message } = said;
        let (class, who) = match message.role {
            MessageRole::User => ("user", "User"),
            MessageRole::Assistant => ("assistant", "Agent"),
            MessageRole::System | MessageRole::Tool => ("system", "System"),
        };
        let place = place(task, *index);
        out.push_str(&format!("<section id=\"{place}\" class=\"{class}\"><header><b>{who}</b>"));
        if let Some(turn) = turn {
            out.push_str(&format!("<span>turn {turn}</span>"));
        }
        out.push_str(&format!("<time>{}</time>", moment(message.timestamp)));
        for taken in taken(message) {
            out.push_str(&format!("<span>{}</span>", text(&taken)));
        }
        if message.incomplete {
            out.push_str("<span class=\"cut\">cut off here</span>");
        }
        out.push_str(&format!("<a href=\"#{place}\">#{}</a></header>\n", number(*index)));
        if let Some(thinking) = &message.thinking {
            let thinking = text(thinking.trim());
            out.push_str(&format!(
                "<details class=\"thinking\"><summary>Thinking</summary><div>{thinking}</div></details>\n"
            ));
        }
        if !message.content.is_empty() {
            let content = match message.role {
                MessageRole::Assistant => prose(&message.content),
                _ => text(message.content.trim_end()),
            };
            out.push_str(&format!("<div class=\"text\">{content}</div>\n"));
        }
        out.push_str("</section>\n");
    }

    fn used(&self, out: &mut String, task: TaskId, used: &Used<'_>) {
        let class = if used.is_error { "tool error" } else { "tool" };
        let place = used.index.map(|index| format!(" id=\"{}\"", place(task, index))).unwrap_or_default();
        out.push_str(&format!("<details class=\"{class}\"{place}><summary><b>{}</b>", text(used.name)));
        if let Some(brief) =
            used.input.as_ref().map(|input| brief(input, used.folder)).filter(|brief| !brief.is_empty())
        {
            out.push_str(&format!(" <code>{}</code>", text(&brief)));
        }
        if used.is_error {
            out.push_str(" <span class=\"none\">failed</span>");
        }
        if used.result.is_none() {
            out.push_str(" <span class=\"none\">no result</span>");
        }
        if used.is_incomplete {
            out.push_str(" <span class=\"cut\">cut off</span>");
        }
        out.push_str("</summary>");
        if let Some(input) = used.input.as_ref().map(whole).filter(|input| !input.is_empty()) {
            out.push_str(&format!("<pre>\n{}</pre>", text(&input)));
        }
        if let Some(result) = used.result.filter(|result| !result.is_empty()) {
            out.push_str(&format!("<pre>\n{}</pre>", text(result)));
        }
        out.push_str("</details>\n");
    }

    fn checkpoint(&self, out: &mut String, task: TaskId, checkpoint: &Checkpointed<'_>) {
        let made = checkpoint.made;
        let place = format!("{}-checkpoint-{}", task.short(), made.number);
        let short: String = made.commit_sha.chars().take(10).collect();
        out.push_str(&format!(
            "<details class=\"checkpoint\" id=\"{place}\"><summary><b>Checkpoint {}</b> {} <code>{}</code> {}</summary>\n",
            made.number,
            text(&first_line(&made.message, 120)),
            text(&short),
            changed(checkpoint)
        ));
        out.push_str(&format!("<p class=\"note\">{} · {}</p>\n", moment(made.at), text(&made.commit_sha)));
        match checkpoint.diff {
            Some(diff) => diff.files.iter().for_each(|file| of_file(out, file)),
            None => out.push_str(&format!("<p class=\"note\">{NOT_KEPT}</p>\n")),
        }
        out.push_str("</details>\n");
    }

    fn end_task(&self, out: &mut String) {
        out.push_str("</article>\n");
    }

    fn end(&self, out: &mut String) {
        out.push_str("<footer>This is the end of it.</footer>\n</main>\n</body>\n</html>\n");
    }
}

fn of_file(out: &mut String, changed: &FileDiff) {
    out.push_str(&format!(
        "<p class=\"file\">{} <span class=\"plus\">+{}</span> <span class=\"minus\">−{}</span></p>\n",
        text(&file(changed)),
        changed.additions,
        changed.deletions
    ));
    if let (Some(old), Some(new)) = (&changed.old_mode, &changed.new_mode) {
        out.push_str(&format!("<p class=\"note\">mode {} → {}</p>\n", text(old), text(new)));
    }
    if changed.binary {
        out.push_str(&format!("<p class=\"note\">{BINARY}</p>\n"));
    }
    if changed.truncated {
        out.push_str(&format!("<p class=\"note\">{LEFT_OUT}</p>\n"));
    }
    if changed.hunks.is_empty() {
        return;
    }
    out.push_str("<pre class=\"diff\">");
    for of_it in &changed.hunks {
        out.push_str(&format!("<span class=\"h\">{}</span>", text(&hunk(of_it))));
        for line in &of_it.lines {
            let class = match line.kind {
                LineKind::Context => "",
                LineKind::Added => " class=\"a\"",
                LineKind::Removed => " class=\"r\"",
            };
            out.push_str(&format!("<span{class}>{}{}</span>", sign(line.kind), text(&line.text)));
        }
    }
    out.push_str("</pre>\n");
}
