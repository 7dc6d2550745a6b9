//! `docs/configuration.md`, out of the settings.

use crate::settings::{SETTINGS, Setting};
use std::fmt::Write;

const BEGINNING: &str = "\
# Configuration

Written by `make docs` out of the program itself: change it there.

Nothing needs to be configured. Where something is, a flag stands above a variable of the environment, and that above the
configuration file: `makima.toml` in the data directory, or the one that `--config` names. `makima config show` lists every
value and where it came from. A key that there isn't is an error, which names the nearest known one.
";

const EXAMPLE: &str = r#"
## An example

```toml
[server]
listen = "0.0.0.0:7447"
public_url = "https://makima.example.com"

[database]
url = "postgres://makima@localhost/makima"

[daemon]
name = "workshop"
max_concurrent_tasks = 8
trusted_repositories = ["/home/me/project"]

[checkpoint]
max_file_bytes = 50000000
include = [".env.local"]

[agents.claude]
command = ["claude"]
env = { ANTHROPIC_MODEL = "…" }
permission_mode = "acceptEdits"
```
"#;

/// All of the page.
pub(super) fn page() -> String {
    let mut page = BEGINNING.to_owned();
    let mut heading = "";
    for setting in SETTINGS {
        if setting.heading() != heading {
            heading = setting.heading();
            // Writing to a text can't fail.
            let _ = writeln!(page, "\n## {heading}");
        }
        section(&mut page, setting);
    }
    page + EXAMPLE
}

fn section(page: &mut String, setting: &Setting) {
    let _ = writeln!(page, "\n### `{}`\n\n{}\n", setting.name, setting.what);
    let _ = writeln!(page, "* default: {}", setting.default_in_words());
    if let Some(flag) = setting.flag {
        let _ = writeln!(page, "* flag: `--{flag}` of {}", setting.commands);
    }
    if let Some(variable) = setting.variable {
        let _ = writeln!(page, "* environment: `{variable}`");
    }
    if let Some(example) = setting.example {
        let _ = writeln!(page, "* in the file: `{example}`");
    }
}
