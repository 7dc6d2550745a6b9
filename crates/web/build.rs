//! Lists the files of `web/dist`, so that the library can hold them. Calls no npm: `make web` builds them.

use std::{
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/dist");

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DIST}");
    let dist = Path::new(DIST);
    if !dist.join("index.html").is_file() {
        println!("cargo::error=the web UI is not built: run `make web`");
        return Ok(());
    }
    let mut files = Vec::new();
    list(dist, &mut files)?;
    files.sort();

    let mut table = "static FILES: &[(&str, Asset)] = &[\n".to_owned();
    for file in files {
        let path =
            file.strip_prefix(dist)?.to_str().ok_or("a file of the web UI has a name that is not UTF-8")?;
        let content_type =
            content_type(path).ok_or_else(|| format!("{path}: no content type is known for it"))?;
        // vite puts a hash of the content into the name of all that it writes there.
        let is_immutable = path.starts_with("assets/");
        let file = fs::canonicalize(&file)?;
        writeln!(
            table,
            "    ({path:?}, Asset {{ bytes: include_bytes!({file:?}), content_type: {content_type:?}, is_immutable: {is_immutable} }}),",
        )?;
    }
    table += "];\n";
    // Where build scripts write is told by the environment alone.
    #[allow(clippy::disallowed_methods)]
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    fs::write(out.join("files.rs"), table)?;
    Ok(())
}

/// All files below a folder. What begins with a dot is for tools.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}
