//! What the fault tests prove, out of their own comments: the tables of `docs/reliability.md`.
//!
//! A test of a fault says in its documentation what fails, when, and how it ends:
//!
//! ```text
//! /// Fault: the daemon is killed
//! /// Moment: while the agent talks
//! /// Outcome: every acknowledged line is there once, in order
//! /// Pain: 20
//! ```
//!
//! `Moment` and `Outcome` may be repeated below one `Fault`; a sentence goes on over the next lines. `Pain` has the numbers of
//! the [reports](REPORTS) whose story the test tells.

mod reports;

pub use reports::{REPORTS, Report};

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// One way to fail, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What fails.
    pub fault: String,
    /// When.
    pub moment: String,
    /// What is so afterwards.
    pub outcome: String,
}

/// A test that says in its documentation what it proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its file, in the workspace.
    pub file: PathBuf,
    /// Its name.
    pub test: String,
    /// Whether only `make test-full` runs it.
    pub is_long: bool,
    /// What it lets fail.
    pub cases: Vec<Case>,
    /// The numbers of the reports whose story it tells.
    pub reports: Vec<usize>,
}

/// The proofs of all crates, by file and in the order in which they stand there.
pub fn proofs(workspace: &Path) -> Vec<Proof> {
    let mut files = Vec::new();
    rust_files(&workspace.join("crates"), &mut files);
    files.sort();
    let of_file = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file is text");
        let file = path.strip_prefix(workspace).expect("it lies in the workspace").to_owned();
        read(&file, &text)
    };
    files.into_iter().flat_map(of_file).collect()
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the crates can be read") {
        let path = entry.expect("the crates can be read").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// The proofs of one file.
fn read(file: &Path, text: &str) -> Vec<Proof> {
    let mut proofs = Vec::new();
    let mut documentation = Vec::new();
    let mut attributes = String::new();
    let mut is_on_both = false;
    for line in text.lines() {
        // What stands in `on_both! { … }` becomes tests there: one on each engine.
        if line == "}" {
            is_on_both = false;
        } else if line.starts_with("on_both") && line.ends_with("! {") {
            is_on_both = true;
        }
        let line = line.trim();
        if let Some(words) = line.strip_prefix("///") {
            documentation.push(words.trim());
        } else if line.starts_with("#[") || (!attributes.is_empty() && line.ends_with(")]")) {
            attributes.push_str(line);
        } else {
            let test = (is_on_both || attributes.contains("test")).then(|| name(line)).flatten();
            if let Some(test) = test {
                let (cases, reports) = said(&documentation);
                let is_long = attributes.contains("#[ignore");
                if !cases.is_empty() || !reports.is_empty() {
                    let test = test.to_owned();
                    proofs.push(Proof { file: file.to_owned(), test, is_long, cases, reports });
                }
            }
            documentation.clear();
            attributes.clear();
        }
    }
    proofs
}

/// The name of the function that a line begins.
fn name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

/// What a documentation says.
fn said(documentation: &[&str]) -> (Vec<Case>, Vec<usize>) {
    let mut sentences: Vec<(&str, String)> = Vec::new();
    let mut goes_on = false;
    for line in documentation {
        let key = ["Fault", "Moment", "Outcome", "Pain"]
            .into_iter()
            .find_map(|key| Some((key, line.strip_prefix(key)?.strip_prefix(':')?.trim())));
        // A sentence goes on until an empty line.
        let is_of_one = key.is_some() || (goes_on && !line.is_empty());
        match (key, sentences.last_mut()) {
            (Some((key, words)), _) => sentences.push((key, words.to_owned())),
            (None, Some((_, sentence))) if is_of_one => {
                sentence.push(' ');
                sentence.push_str(line);
            }
            (None, _) => {}
        }
        goes_on = is_of_one;
    }
    let (mut fault, mut moment) = (String::new(), String::new());
    let (mut cases, mut reports) = (Vec::new(), Vec::new());
    for (key, words) in sentences {
        match key {
            "Fault" => fault = words,
            "Moment" => moment = words,
            "Outcome" => cases.push(Case { fault: fault.clone(), moment: moment.clone(), outcome: words }),
            _ => reports.extend(words.split(',').map(|number| {
                let number = number.trim().parse::<usize>();
                number.unwrap_or_else(|_| panic!("{words:?} are no numbers of reports"))
            })),
        }
    }
    (cases, reports)
}

/// The page with its tables made anew.
pub fn page(kept: &str, proofs: &[Proof]) -> String {
    let page = between(kept, "faults", &faults(proofs));
    between(&page, "reports", &reports_table(proofs))
}

/// The page with what stands between the marks of `name` replaced.
fn between(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: made from the tests -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has no {begin:?}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page has no {end:?}"));
    format!("{before}{begin}{table}{end}{after}")
}

fn faults(proofs: &[Proof]) -> String {
    let mut rows: Vec<(&Case, &Proof)> =
        proofs.iter().flat_map(|proof| proof.cases.iter().map(move |case| (case, proof))).collect();
    rows.sort_by(|one, other| one.0.fault.cmp(&other.0.fault));
    let mut table = String::from("| fault | moment | outcome | test |\n|---|---|---|---|\n");
    for (Case { fault, moment, outcome }, proof) in rows {
        let _ =
            writeln!(table, "| {} | {} | {} | {} |", cell(fault), cell(moment), cell(outcome), link(proof));
    }
    table
}

fn reports_table(proofs: &[Proof]) -> String {
    let mut table = String::from("| # | report | what happened | here |\n|---|---|---|---|\n");
    for Report { number, source, story, answer } in REPORTS {
        let tests: Vec<String> =
            proofs.iter().filter(|proof| proof.reports.contains(number)).map(link).collect();
        let here = if tests.is_empty() {
            format!("{answer} (to come)")
        } else {
            format!("{answer}: {}", tests.join(", "))
        };
        let _ = writeln!(table, "| {number} | {source} | {story} | {here} |");
    }
    table
}

fn link(proof: &Proof) -> String {
    let long = if proof.is_long { " (`make test-full`)" } else { "" };
    format!("[`{}`](../{}){long}", proof.test, proof.file.display())
}

/// Words that can't end a cell before its time.
fn cell(words: &str) -> String {
    words.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(fault: &str, moment: &str, outcome: &str) -> Case {
        Case { fault: fault.to_owned(), moment: moment.to_owned(), outcome: outcome.to_owned() }
    }

    #[test]
    fn a_tests_comment_says_what_it_proves() {
        // Its lines begin otherwise in this file, which is read too.
        let text = "
//- A sentence of its own.
//-
//- Fault: the daemon is killed
//- Moment: while the agent
//- talks
//- Outcome: nothing is lost
//- Moment: before it talks
//- Outcome: it talks
//- Pain: 13, 20
//-
//- More sentences
//- of its own.
#[tokio::test(flavor = \"multi_thread\")]
#[ignore = \"long: it waits\"]
async fn a_story(engine: Engine) {}

//- Fault: no test
//- Moment: never
//- Outcome: none
fn told() {}

#[test]
fn says_nothing() {}

on_both! {
    //- Pain: 3
    async fn on_each(engine) {
    }
}

//- Pain: 4
fn told_too() {}
"
        .replace("//-", "///");
        let on_each = Proof {
            file: "a.rs".into(),
            test: "on_each".to_owned(),
            is_long: false,
            cases: Vec::new(),
            reports: vec![3],
        };
        let proof = Proof {
            file: "a.rs".into(),
            test: "a_story".to_owned(),
            is_long: true,
            cases: vec![
                case("the daemon is killed", "while the agent talks", "nothing is lost"),
                case("the daemon is killed", "before it talks", "it talks"),
            ],
            reports: vec![13, 20],
        };
        assert_eq!(read(Path::new("a.rs"), &text), [proof, on_each]);
    }

    #[test]
    fn a_page_keeps_its_words_around_the_tables() {
        let kept = "Words.\n<!-- faults: made from the tests -->\nthose of before\n<!-- end of faults -->\nMore.\n\
                    <!-- reports: made from the tests -->\n<!-- end of reports -->\n";
        let page = page(kept, &[]);
        assert!(page.starts_with("Words.\n<!-- faults: made from the tests -->\n| fault |"), "{page}");
        assert!(page.contains("\nMore.\n") && !page.contains("those of before"), "{page}");
        assert_eq!(super::page(&page, &[]), page);
    }
}
