use super::*;
use crate::{Clock, MessageRole, ToolCall};
use proptest::prelude::*;
use serde_json::json;

fn words(text: &str) -> Vec<String> {
    let (mut reader, mut words) = (Words::of(text), Vec::new());
    while let Some((_, word)) = reader.next_word() {
        words.push(word.to_owned());
    }
    words
}

fn terms(text: &str) -> Vec<(String, bool)> {
    let query = Query::parse(text);
    query.terms().iter().map(|term| (term.words().join(" "), term.is_prefix())).collect()
}

fn text(text: &str) -> Text<'_> {
    Text { text: text.into(), tool: None }
}

fn found(text: &str, query: &str) -> String {
    snippet(&[self::text(text)], &Query::parse(query)).text.replace(MARKS[0], "[").replace(MARKS[1], "]")
}

#[test]
fn an_identifier_is_one_word_and_a_path_several() {
    for (text, expected) in [
        ("fn parse_config(Path: &str) -> __init__", &["fn", "parse_config", "path", "str", "__init__"][..]),
        ("crates/model/src/point.rs:40", &["crates", "model", "src", "point", "rs", "40"]),
        ("std::fs::read_to_string", &["std", "fs", "read_to_string"]),
        ("don't ---- ____ 3.14", &["don", "t", "3", "14"]),
        ("Größe CAFE\u{301} caf\u{e9}", &["größe", "caf\u{e9}", "caf\u{e9}"]),
        ("東京タワー foo東bar", &["東", "京", "タ", "ワ", "ー", "foo", "東", "bar"]),
        ("שלום \u{202e}עולם", &["שלום", "עולם"]),
        ("हिन्दी", &["हिन्दी"]),
        ("\u{10376}\u{1c37} \u{1c37}a\u{10376}\u{1c37}", &["a\u{1c37}\u{10376}"]),
        ("a\0b 🦀 👩‍👩‍👧", &["a", "b"]),
        ("\u{1b}[1;31merror\u{1b}[0m: \u{1b}x \u{1b}", &["error", "x"]),
        ("", &[]),
    ] {
        assert_eq!(words(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_too_long_for_a_word_is_known_by_its_beginning() {
    let long = "a".repeat(1000);
    assert_eq!(words(&long), ["a".repeat(128)]);
    assert_eq!(words(&"é".repeat(1000)), ["é".repeat(64)]);
    assert_eq!(terms(&long), [("a".repeat(128), true)]);
}

#[test]
fn a_query_means_what_its_language_says() {
    let whole = |text: &str| (text.to_owned(), false);
    let begun = |text: &str| (text.to_owned(), true);
    for (query, expected) in [
        ("parse config", vec![whole("parse"), begun("config")]),
        ("parse config ", vec![whole("parse"), whole("config")]),
        ("go to it", vec![whole("go"), whole("to"), whole("it")]),
        ("it*", vec![begun("it")]),
        ("par* x", vec![begun("par"), whole("x")]),
        ("src/main.rs x", vec![whole("src main rs"), whole("x")]),
        ("src/* x", vec![whole("src"), whole("x")]),
        ("\"no such file\"", vec![whole("no such file")]),
        ("\"no such fi\"* x", vec![begun("no such fi"), whole("x")]),
        ("\"never closed", vec![whole("never closed")]),
        ("a\"b c\"d", vec![whole("a"), whole("b c"), whole("d")]),
        ("x x x", vec![whole("x")]),
        (
            "NOT (a OR b) AND c NEAR/3",
            vec![
                whole("not"),
                whole("a"),
                whole("or"),
                whole("b"),
                whole("and"),
                whole("c"),
                whole("near 3"),
            ],
        ),
        ("words:x -y ^z", vec![whole("words x"), whole("y"), whole("z")]),
        ("' OR 1=1; DROP TABLE --", vec![whole("or"), whole("1 1"), whole("drop"), whole("table")]),
        ("!@#$%^&*()", vec![]),
        ("\"\" \"*\" ***", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(terms(query), expected, "{query}");
    }
}

#[test]
fn of_more_words_than_a_term_has_each_stretch_must_be_there() {
    let many: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
    let query = Query::parse(&format!("\"{}\"", many.join(" ")));
    let stretches: Vec<_> = query.terms().iter().map(|term| (&term.words()[0], term.words().len())).collect();
    assert_eq!(stretches, [(&many[0], 64), (&many[32], 64), (&many[36], 64)]);
}

#[test]
fn a_snippet_shows_what_was_found_and_what_stands_around_it() {
    let text =
        format!("{} let x = parse_config(path)?;\n\treturn {}", "before ".repeat(50), "after ".repeat(200));
    let shown = found(&text, "parse_config");
    assert!(shown.starts_with("…before before"), "{shown}");
    assert!(shown.contains("let x = [parse_config](path)?; return after"), "{shown}");
    assert!(shown.ends_with('…') && shown.chars().count() < 260, "{shown}");
    assert_eq!(found("see src/main.rs, line 3", "src/main.rs "), "see [src/main.rs], line 3");
    assert_eq!(found("Parsing begins", "pars*"), "[Parsing] begins");
    assert_eq!(found("\u{1b}[31merror\u{1b}[0m: gone", "error "), "[error]: gone");
    assert_eq!(found("nothing of it", "absent"), "nothing of it");
    assert_eq!(found("", "absent"), "");
}

#[test]
fn a_snippet_is_taken_where_most_is_found() {
    let text = format!("error here {} the error timeout again", "x ".repeat(300));
    assert!(found(&text, "error timeout").contains("the [error] [timeout] again"));
}

#[test]
fn no_text_can_pretend_to_be_a_match() {
    assert_eq!(found("a \u{2}b\u{3} c\u{0} d", "c "), "a b [c] d");
}

#[test]
fn everything_that_is_said_is_looked_through_and_by_which_tool() {
    let clock = Clock::system();
    let mut message = crate::Message::said(clock.new_id(), MessageRole::Assistant, "I look", clock.now());
    message.thinking = Some("Where is it?".into());
    let input = json!({ "file_path": "src/lib.rs", "edits": [{ "old": "a", "count": 8080 }], "all": true });
    message.tool_calls = vec![ToolCall { id: "1".into(), name: "Edit".into(), input }];
    let texts = of_message(&message);
    let told: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (&*text.text, text.tool)).collect();
    let edit = Some("Edit");
    for expected in
        [("I look", None), ("Where is it?", None), ("src/lib.rs", edit), ("old", edit), ("8080", edit)]
    {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    assert!(!told.iter().any(|(text, _)| ["file_path", "edits", "true"].contains(text)), "{told:?}");
    assert_eq!(snippet(&texts, &Query::parse("lib.rs")).tool.as_deref(), edit);
    assert_eq!(snippet(&texts, &Query::parse("look")).tool, None);
}

/// Texts in which much happens.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,80}", any::<String>(), "([a-cé東_ \"*/.\u{301}\u{0}\u{2}]|ab|src/){0,60}"]
}

proptest! {
    #[test]
    fn words_are_of_letters_digits_and_marks_and_stand_where_they_say(text in texts()) {
        let mut reader = Words::of(&text);
        let mut end = 0;
        while let Some((range, word)) = reader.next_word() {
            prop_assert!(range.start >= end && range.end > range.start);
            end = range.end;
            prop_assert!(!word.is_empty() && word.len() <= 128);
            prop_assert!(word.bytes().all(|b| !b.is_ascii() || b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            prop_assert!(!word.contains('¶'));
            // In the form in which it is compared it is the same word.
            let again = words(word);
            prop_assert_eq!(again.concat(), word);
        }
    }

    #[test]
    fn any_text_is_a_query_without_empty_terms(text in texts()) {
        let query = Query::parse(&text);
        for (at, term) in query.terms().iter().enumerate() {
            prop_assert!(!term.words().is_empty() && term.words().len() <= 64);
            prop_assert!(!query.terms()[..at].contains(term));
        }
    }

    #[test]
    fn a_snippet_is_one_bounded_line_with_marks_in_pairs(text in texts(), query in texts()) {
        let shown = snippet(&[self::text(&text)], &Query::parse(&query)).text;
        prop_assert!(shown.chars().count() <= 2 * 260 + 2 * MARKS.len() * 260);
        let mut is_open = false;
        for c in shown.chars() {
            if MARKS.contains(&c) {
                prop_assert_eq!(c == MARKS[0], !is_open);
                is_open = !is_open;
            } else {
                prop_assert!(!c.is_control());
            }
        }
        prop_assert!(!is_open);
    }
}
