//! Whether the blob folder agrees with the database: each blob that somebody has is there, is what its hash says, and no file
//! is there that nobody has.
//!
//! While a server works: a blob's file is written before its row is, so rows are asked for first, and what no row names
//! counts once it is too old to be on its way. When a blob is erased its row goes first, and says what file has yet to go: so
//! what is missing counts if somebody still has it afterwards. One folder of 256 is looked at after the other, so that never more than
//! its names are held.

use crate::blobs::LEFT_OVER;
use makima_model::{
    Clock,
    verify::{Finding, Progress, Report},
};
use makima_store::{Db, StoreError, blobs};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

const LOST: &str = "the diffs that it holds can't be shown; their commits have everything: take the file from a backup of the data directory";
const UNNEEDED: &str = "nothing needs it: remove it";

/// Looks at every blob.
pub async fn blobs(
    db: &Db,
    folder: &Path,
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let now = SystemTime::from(Clock::system().now().utc());
    for part in 0..=u8::MAX {
        watch(Progress { what: "blob folders", done: part.into(), of: 256 });
        let prefix = format!("{part:02x}");
        let expected = expected(db, &prefix).await?;
        let folder = folder.join(&prefix);
        let looked = tokio::task::spawn_blocking(move || look(&folder, &expected, now)).await;
        let Looked { report: found, missing } = looked.unwrap_or_default();
        report.merge(found);
        if !missing.is_empty() {
            let after = self::expected(db, &prefix).await?;
            let missing = missing.into_iter().filter(|(hash, _)| after.rows.contains_key(hash));
            missing.for_each(|(_, finding)| report.add(finding));
        }
    }
    Ok(report)
}

/// What the database says of the blobs of one folder.
#[derive(Debug, Default)]
struct Expected {
    /// Those that somebody has, with their lengths.
    rows: BTreeMap<String, u64>,
    /// Those whose files are about to be removed.
    erased: BTreeSet<String>,
}

async fn expected(db: &Db, prefix: &str) -> Result<Expected, StoreError> {
    let mut tx = db.read().await?;
    let named = blobs::with_prefix(&mut tx, prefix).await?;
    let erased = blobs::erased_with_prefix(&mut tx, prefix).await?;
    Ok(Expected {
        rows: named.into_iter().map(|blob| (blob.hash, blob.bytes)).collect(),
        erased: erased.into_iter().collect(),
    })
}

/// What a look at one folder came to.
#[derive(Debug, Default)]
struct Looked {
    report: Report,
    /// Blobs that were not there, each with what to say of it.
    missing: Vec<(String, Finding)>,
}

/// Looks at the blobs of one folder.
fn look(folder: &Path, expected: &Expected, now: SystemTime) -> Looked {
    let (mut report, mut missing) = (Report::default(), Vec::new());
    for (hash, bytes) in &expected.rows {
        report.count("blob files", 1);
        let wrong = match measured(&folder.join(hash)) {
            Ok((actual, _)) if actual != *hash => {
                Some(("blob_changed", format!("its bytes hash to {actual}")))
            }
            Ok((_, length)) if length != *bytes => {
                Some(("blob_length", format!("it has {length} bytes, and the database says {bytes}")))
            }
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(("blob_missing", "its file is not there".to_owned()))
            }
            Err(error) => Some(("blob_missing", format!("its file can't be read: {error}"))),
        };
        if let Some((rule, found)) = wrong {
            let finding = finding(rule, format!("blob {hash}"), found, LOST);
            match rule {
                "blob_missing" => missing.push((hash.clone(), finding)),
                _ => report.add(finding),
            }
        }
    }
    for path in left_over(folder, expected, now) {
        let found = "no owner has it, and it is more than an hour old".to_owned();
        report.add(finding("blob_left_over", format!("file {}", path.display()), found, UNNEEDED));
    }
    Looked { report, missing }
}

/// The hash of a file and its length.
fn measured(path: &Path) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.finalize().to_hex().to_string(), hasher.count()))
}

fn left_over(folder: &Path, expected: &Expected, now: SystemTime) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let unnamed = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // One that is being removed is put aside first.
        let hash = name.split_once('.').map_or(&*name, |(hash, _)| hash);
        !expected.rows.contains_key(&*name) && !expected.erased.contains(hash)
    });
    let old = unnamed.filter(|entry| {
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        changed.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > LEFT_OVER))
    });
    old.map(|entry| entry.path()).collect()
}

fn finding(rule: &str, object: String, found: String, advice: &str) -> Finding {
    Finding { rule: rule.to_owned(), object, found, advice: advice.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{App, blobs::Blobs};
    use makima_store::blobs as rows;

    /// A blob folder with two blobs that an owner has.
    struct Lab {
        folder: tempfile::TempDir,
        db: Db,
        hashes: Vec<String>,
    }

    impl Lab {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(&format!("sqlite:{}/makima.db", folder.path().display())).await.unwrap();
            let clock = Clock::system();
            let owner = App::over(db.clone(), clock.clone()).create_user("ada").await.unwrap().id;
            let blobs = Blobs::new(folder.path().join("blobs"));
            let mut hashes = Vec::new();
            let mut tx = db.begin().await.unwrap();
            for bytes in [&b"one patch"[..], b"another patch"] {
                let hash = blake3::hash(bytes).to_hex().to_string();
                let blob = blobs.put(&hash, bytes).await.unwrap();
                rows::put(&mut tx, owner, &blob, clock.now()).await.unwrap();
                hashes.push(hash);
            }
            tx.commit().await.unwrap();
            Self { folder, db, hashes }
        }

        fn file(&self, hash: &str) -> PathBuf {
            self.folder.path().join("blobs").join(&hash[..2]).join(hash)
        }

        async fn found(&self) -> Vec<(String, String)> {
            let report = blobs(&self.db, &self.folder.path().join("blobs"), &mut |_| {}).await.unwrap();
            assert_eq!(report.checked["blob files"], 2);
            report.findings.into_iter().map(|finding| (finding.rule, finding.object)).collect()
        }
    }

    #[tokio::test]
    async fn blobs_that_are_as_they_were_kept_are_no_finding() {
        assert_eq!(Lab::new().await.found().await, []);
    }

    #[tokio::test]
    async fn a_blob_that_is_gone_is_named() {
        let lab = Lab::new().await;
        fs::remove_file(lab.file(&lab.hashes[0])).unwrap();
        let found = [("blob_missing".to_owned(), format!("blob {}", lab.hashes[0]))];
        assert_eq!(lab.found().await, found);
    }

    #[tokio::test]
    async fn a_blob_whose_byte_flipped_is_named() {
        let lab = Lab::new().await;
        fs::write(lab.file(&lab.hashes[1]), b"another petch").unwrap();
        let found = [("blob_changed".to_owned(), format!("blob {}", lab.hashes[1]))];
        assert_eq!(lab.found().await, found);
    }

    #[tokio::test]
    async fn a_blob_whose_row_has_another_length_is_named() {
        let lab = Lab::new().await;
        let rows = BTreeMap::from([(lab.hashes[0].clone(), 3)]);
        let short = Expected { rows, ..Expected::default() };
        let folder = lab.file(&lab.hashes[0]).parent().unwrap().to_owned();
        let report = look(&folder, &short, SystemTime::UNIX_EPOCH).report;
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].rule, "blob_length");
    }

    #[tokio::test]
    async fn a_file_that_nobody_has_is_named_once_it_is_not_on_its_way() {
        let lab = Lab::new().await;
        let file = lab.file(&lab.hashes[0]).with_extension("1-2.new");
        fs::write(&file, b"half").unwrap();
        assert_eq!(lab.found().await, []);
        let old = SystemTime::from(Clock::system().now().minus(2 * LEFT_OVER).utc());
        File::options().append(true).open(&file).unwrap().set_modified(old).unwrap();
        let found = [("blob_left_over".to_owned(), format!("file {}", file.display()))];
        assert_eq!(lab.found().await, found);
    }
    #[tokio::test]
    async fn a_file_that_is_about_to_be_removed_is_no_finding() {
        let lab = Lab::new().await;
        let hash = "a".repeat(64);
        let old = SystemTime::from(Clock::system().now().minus(2 * LEFT_OVER).utc());
        let folder = lab.folder.path().join("blobs/aa");
        fs::create_dir_all(&folder).unwrap();
        for name in [hash.clone(), format!("{hash}.gone")] {
            let file = folder.join(name);
            fs::write(&file, b"patch").unwrap();
            File::options().append(true).open(&file).unwrap().set_modified(old).unwrap();
        }
        let erased = BTreeSet::from([hash.clone()]);
        let expected = Expected { erased, ..Expected::default() };
        let now = SystemTime::from(Clock::system().now().utc());
        assert_eq!(look(&folder, &expected, now).report.findings, []);
        assert_eq!(look(&folder, &Expected::default(), now).report.findings.len(), 2);
    }
}
