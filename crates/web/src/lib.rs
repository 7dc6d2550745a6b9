//! The web UI, as it was built from `web/`: its files, in the program. Knows nothing of HTTP beyond what each file is.

/// A file of the web UI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Its content.
    pub bytes: &'static [u8],
    /// What it is.
    pub content_type: &'static str,
    /// Whether its name changes with its content, so that it may be kept for ever.
    pub is_immutable: bool,
}

// `FILES`: every file with its path, sorted by it.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The file at a path without a slash before it, such as `index.html`; `None` where there is none.
pub fn asset(path: &str) -> Option<Asset> {
    let at = FILES.binary_search_by(|(name, _)| (*name).cmp(path)).ok()?;
    FILES.get(at).map(|(_, asset)| *asset)
}

#[cfg(test)]
// What fails here fails its test, and says where.
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn page() -> &'static str {
        std::str::from_utf8(asset("index.html").unwrap().bytes).unwrap()
    }

    /// The addresses in a page that are this server's.
    fn addresses(page: &str) -> Vec<&str> {
        let values = page.split(['"', '\'']).filter(|value| value.starts_with('/'));
        values.map(|value| &value[1..]).collect()
    }

    #[test]
    fn all_that_the_page_names_is_there() {
        let named = addresses(page());
        assert!(named.len() >= 3, "{named:?}");
        for path in named {
            assert!(asset(path).is_some(), "{path}");
        }
    }

    #[test]
    fn every_file_is_found_by_its_path() {
        for (path, file) in FILES {
            assert_eq!(asset(path), Some(*file), "{path}");
        }
    }

    #[test]
    fn only_what_is_named_by_its_content_is_kept_for_ever() {
        for (path, file) in FILES {
            assert_eq!(file.is_immutable, path.starts_with("assets/"), "{path}");
        }
        assert!(!asset("index.html").unwrap().is_immutable);
    }

    #[test]
    fn nothing_else_is_there() {
        for path in
            ["", "/", "/index.html", "assets", "assets/", "../web/package.json", ".vite/manifest.json"]
        {
            assert_eq!(asset(path), None, "{path}");
        }
    }

    #[test]
    fn the_page_holds_no_script_and_no_style_and_names_no_other_server() {
        let page = page();
        assert!(!page.contains("<style"), "{page}");
        assert!(!page.contains("://"), "{page}");
        for script in page.split("<script").skip(1) {
            assert!(script.split_once('>').unwrap().0.contains("src=\"/"), "{script}");
        }
    }
}
