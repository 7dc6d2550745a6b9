//! Writes the tables of `docs/reliability.md` anew: what `make docs` calls.

use makima_testkit::{reliability, workspace_root};
use std::fs;

fn main() -> std::io::Result<()> {
    let workspace = workspace_root();
    let path = workspace.join("docs/reliability.md");
    let page = reliability::page(&fs::read_to_string(&path)?, &reliability::proofs(&workspace));
    fs::write(&path, page)
}
