//! The recorded session files, as they are read.

use super::*;

const ALL: &[&str] = &[
    "cc197_multi",
    "cc_fork",
    "cc_interrupt",
    "cc_kill9_midstream",
    "cc_kill9_midstream_resumed",
    "cc_moved_resume",
    "cc_multi",
    "cc_resume",
    "cc_synth_input",
    "cc_synth_resume",
];

fn shown(name: &str) -> String {
    let file = fixture(name);
    let survey = survey(&file, &[]);
    let mut out = vec![format!(
        "{:?} in {:?} on {:?}: {:?}",
        survey.session_id, survey.folder, survey.git_branch, survey.prompt
    )];
    for one in told(&file) {
        out.push(match one {
            Told::Back { to } => format!("back to {to:?}"),
            Told::Message(message) => {
                let mut told = json!(message);
                told["id"] = Value::Null;
                told.to_string()
            }
            Told::Lines { lines, .. } => {
                let kind = |line: &NativeLine| {
                    serde_json::from_str::<Value>(&line.line).unwrap()["type"].as_str().unwrap().to_owned()
                };
                format!("    lines {}", lines.iter().map(kind).collect::<Vec<_>>().join(" "))
            }
            Told::Turn { at, end } => format!("turn {at} {}", json!(end)),
        });
    }
    out.join("\n")
}

#[test]
fn session_files_are_told() {
    for name in ALL {
        insta::assert_snapshot!(*name, shown(name));
    }
}

#[test]
fn every_session_file_is_shown() {
    let there = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut there: Vec<String> =
        there.filter_map(|name| name.strip_suffix(".session.jsonl").map(str::to_owned)).collect();
    there.sort();
    assert_eq!(there, ALL);
}

#[test]
fn each_line_belongs_to_some_message_and_stands_byte_for_byte() {
    for name in ALL {
        let file = fixture(name);
        let mut kept: Vec<String> = native(&told(&file)).into_iter().map(|line| line.line).collect();
        let mut there: Vec<String> =
            lines(&file).map(|(line, _)| String::from_utf8(line.to_vec()).unwrap()).collect();
        // A line may stand before or behind another that belongs to the next message.
        kept.sort();
        there.sort();
        assert_eq!(kept, there, "{name}");
    }
}

#[test]
fn a_file_that_grew_tells_the_same_and_more() {
    for (short, long) in [
        ("cc_multi", "cc_resume"),
        ("cc_multi", "cc_moved_resume"),
        ("cc_kill9_midstream", "cc_kill9_midstream_resumed"),
        ("cc_synth_input", "cc_synth_resume"),
    ] {
        let (short, long) = (fixture(short), fixture(long));
        let before = told(&short);
        let after = told_in_pieces(&long, &[short.len() as u64]);
        assert_eq!(after[..before.len()], before[..]);
        let whole: Vec<_> = conversation(&told(&long));
        assert_eq!(conversation(&after), whole);
    }
}
