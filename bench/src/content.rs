//! Text that looks like what agents read and write: source code, prose, the output of commands. The same seed gives the
//! same text. zstd makes of it what it makes of the real thing, which the sizes of a database depend on.

use makima_testkit::Random;

/// Writes the text of one project: its names come again and again, the common ones most.
#[derive(Debug)]
pub(crate) struct Author {
    pub(crate) random: Random,
    names: Vec<String>,
}

const ROOTS: [&str; 72] = [
    "buffer", "index", "parse", "token", "branch", "commit", "queue", "frame", "state", "event", "cache",
    "entry", "reader", "writer", "config", "worker", "client", "server", "stream", "record", "store",
    "query", "column", "row", "page", "cursor", "lock", "clock", "retry", "limit", "batch", "chunk", "path",
    "file", "folder", "name", "owner", "task", "run", "turn", "message", "role", "tool", "call", "result",
    "error", "source", "target", "field", "value", "key", "map", "list", "node", "tree", "graph", "edge",
    "merge", "diff", "patch", "hash", "sign", "user", "session", "login", "route", "header", "body",
    "status", "price", "order", "invoice",
];

const WORDS: [&str; 122] = [
    "the",
    "a",
    "is",
    "of",
    "to",
    "and",
    "in",
    "that",
    "it",
    "for",
    "this",
    "with",
    "not",
    "be",
    "are",
    "as",
    "on",
    "when",
    "which",
    "so",
    "from",
    "by",
    "an",
    "at",
    "or",
    "if",
    "but",
    "was",
    "has",
    "its",
    "only",
    "then",
    "now",
    "test",
    "file",
    "function",
    "because",
    "before",
    "after",
    "there",
    "where",
    "same",
    "one",
    "two",
    "first",
    "last",
    "next",
    "call",
    "returns",
    "value",
    "error",
    "fails",
    "passes",
    "change",
    "need",
    "should",
    "would",
    "could",
    "make",
    "check",
    "look",
    "read",
    "write",
    "run",
    "fix",
    "add",
    "remove",
    "update",
    "move",
    "keep",
    "use",
    "uses",
    "case",
    "also",
    "still",
    "instead",
    "already",
    "never",
    "always",
    "every",
    "each",
    "both",
    "all",
    "any",
    "some",
    "more",
    "less",
    "new",
    "old",
    "line",
    "lines",
    "name",
    "names",
    "type",
    "types",
    "field",
    "struct",
    "method",
    "caller",
    "module",
    "crate",
    "handle",
    "missing",
    "empty",
    "correct",
    "wrong",
    "behaviour",
    "instance",
    "problem",
    "reason",
    "expected",
    "actual",
    "output",
    "input",
    "request",
    "response",
    "database",
    "query",
    "timeout",
    "connection",
    "let",
    "me",
];

impl Author {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let names = (0..900)
            .map(|_| {
                let parts = 1 + random.below(3);
                (0..parts).map(|_| *random.pick(&ROOTS)).collect::<Vec<_>>().join("_")
            })
            .collect();
        Self { random, names }
    }

    /// Of the project's names; the first ones most often.
    fn name(&mut self) -> String {
        let place = self.random.unit().powi(3) * self.names.len() as f64;
        self.names[place as usize].clone()
    }

    pub(crate) fn path(&mut self) -> String {
        format!(
            "crates/{}/src/{}/{}.rs",
            self.random.pick(&ROOTS[..12]),
            self.random.pick(&ROOTS),
            self.name()
        )
    }

    /// Hexadecimal digits that nothing can compress.
    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from_digit((self.random.draw() % 16) as u32, 16).unwrap_or('0')).collect()
    }

    /// As uuids are written.
    pub(crate) fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|count| self.digits(count)).join("-")
    }

    pub(crate) fn prose(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 80);
        while text.len() < bytes {
            let words = 5 + self.random.below(14);
            for word in 0..words {
                if word > 0 {
                    text.push(' ');
                }
                if self.random.chance(0.12) {
                    text.push_str(&format!("`{}`", self.name()));
                } else {
                    let place = self.random.unit().powi(2) * WORDS.len() as f64;
                    text.push_str(WORDS[place as usize]);
                }
            }
            text.push_str(if self.random.chance(0.15) { ".\n\n" } else { ". " });
        }
        cut(text, bytes)
    }

    pub(crate) fn code(&mut self, bytes: usize) -> String {
        // A file has its own few names, which it repeats.
        let own: Vec<String> = (0..28).map(|_| self.name()).collect();
        let mut text = String::with_capacity(bytes + 200);
        while text.len() < bytes {
            let mut name = || {
                if self.random.chance(0.85) { self.random.pick(&own).clone() } else { self.name() }
            };
            let (a, b, c, d) = (name(), name(), name(), name());
            let (t, u) = (camel(&a), camel(&c));
            let number = self.random.below(4096);
            match self.random.below(16) {
                0 => text.push_str(&format!("    use crate::{a}::{{{u}, {t}Error}};\n")),
                1 => text.push_str(&format!("    pub(crate) fn {a}(&self, {b}: &{u}, {c}: u64) -> Result<{t}, {t}Error> {{\n")),
                2 => text.push_str(&format!("        let {a} = {b}.{c}({d})?;\n")),
                3 => text.push_str(&format!("        if {a}.len() > {number} {{\n            return Err({t}Error::{u} {{ {a}, {b} }});\n        }}\n")),
                4 => text.push_str(&format!("        for {a} in {b}.iter().filter(|{c}| {c}.{d} > {number}) {{\n")),
                5 => text.push_str(&format!("        match {a} {{\n            {t}::{u} => {b}.{c}(),\n            {t}::Other({d}) => {d},\n        }}\n")),
                6 => text.push_str("        }\n"),
                7 => text.push_str("    }\n\n"),
                8 => text.push_str(&format!("        assert_eq!({a}.{b}({number}), Some({c}));\n")),
                9 => text.push_str(&format!("    /// {}\n", self.prose(60).replace('\n', " "))),
                10 => text.push_str(&format!("        self.{a}.{b}(&{c}, {number});\n")),
                11 => text.push_str(&format!("        let {a}: Vec<{u}> = {b}.into_iter().map({t}::from).collect();\n")),
                12 => text.push_str(&format!("        // {}\n", self.prose(50).replace('\n', " "))),
                13 => text.push_str(&format!("        tracing::debug!(%{a}, {b}, \"{}\");\n", self.prose(24).replace('\n', " "))),
                14 => text.push_str(&format!("    {a}: Option<{u}>,\n    {b}: {t},\n")),
                _ => text.push_str(&format!("        {a}.{b} = {c}.{d}.max({number});\n")),
            }
        }
        cut(text, bytes)
    }

    /// What a command prints: tests that pass, warnings, matches, listings.
    pub(crate) fn output(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 200);
        let kind = self.random.below(4);
        while text.len() < bytes {
            let (a, b) = (self.name(), self.name());
            let number = self.random.below(900);
            match kind {
                0 => text.push_str(&format!("test {a}::tests::{b} ... ok\n")),
                1 => {
                    let path = self.path();
                    text.push_str(&format!(
                        "warning: unused variable: `{a}`\n   --> {path}:{number}:{}\n    |\n{number} |     let {a} = {b};\n    |         ^^^ help: prefix it with an underscore: `_{a}`\n\n",
                        number % 80
                    ));
                }
                2 => {
                    let (path, line) = (self.path(), self.code(60).replace('\n', " "));
                    text.push_str(&format!("{path}:{number}:{line}\n"));
                }
                _ => text.push_str(&format!(
                    "-rw-r--r-- 1 dev dev {:>6} Nov {:>2} 10:{:02} {a}.rs\n",
                    number * 37,
                    number % 28 + 1,
                    number % 60
                )),
            }
        }
        cut(text, bytes)
    }
}

/// At most this many bytes. All of it is ASCII.
fn cut(mut text: String, bytes: usize) -> String {
    text.truncate(bytes);
    text
}

fn camel(name: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split('_').map(capital).collect()
}
