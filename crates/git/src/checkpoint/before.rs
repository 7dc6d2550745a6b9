//! What has to be known before a checkpoint is made, asked of one git process.

use crate::scan::{Head, Scanned};
use crate::{GitError, Sha, Worktree};

/// HEAD, the previous checkpoint, and whether this one has been made already.
pub(super) struct Before {
    pub(super) head: Head,
    pub(super) previous: Previous,
    /// Commit and tree that the checkpoint's ref means.
    pub(super) made: Option<(Sha, Sha)>,
}

/// The previous checkpoint, or the commit that the task started from.
#[derive(Default)]
pub(super) struct Previous {
    pub(super) tree: Option<Sha>,
    pub(super) head: Option<Sha>,
}

impl Worktree {
    pub(super) async fn before(
        &self,
        previous: Option<&Sha>,
        name: Option<&str>,
    ) -> Result<Before, GitError> {
        // A name that is never there, where none is asked for.
        let name = name.unwrap_or("refs/makima/none");
        let mut asked = String::new();
        for object in
            ["HEAD^{commit}", "HEAD^{tree}", &format!("{name}^{{commit}}"), &format!("{name}^{{tree}}")]
        {
            asked += &format!("info {object}\n");
        }
        if let Some(previous) = previous {
            asked += &format!("info {previous}^{{tree}}\ncontents {previous}\n");
        }
        let said = self.run("cat-file").arg("--batch-command").stdin(asked).ok().await?;
        let mut rest = &said[..];
        let mut next = || {
            let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = rest.get(end + 1..).unwrap_or_default();
            found(&line)
        };
        let head = Head { commit: next(), tree: next() };
        let made = next().zip(next());
        let Some(commit) = previous else { return Ok(Before { head, previous: Previous::default(), made }) };
        let (Some(tree), Some(_)) = (next(), next()) else { return Err(missing(commit)) };
        let head_then = head_under(commit, &String::from_utf8_lossy(rest));
        Ok(Before { head, previous: Previous { tree: Some(tree), head: head_then }, made })
    }

    /// What HEAD was when a checkpoint was made.
    pub(super) async fn head_of(&self, checkpoint: &Sha) -> Result<Option<Sha>, GitError> {
        let text = self.run("cat-file").args(["commit", checkpoint.as_str()]).ok().await?;
        Ok(head_under(checkpoint, &String::from_utf8_lossy(&text)))
    }
}

/// `<name> <type> <size>`, or `<what was asked> missing`.
fn found(line: &str) -> Option<Sha> {
    Sha::parse(line.split(' ').next()?).filter(|_| !line.ends_with(" missing"))
}

fn missing(commit: &Sha) -> GitError {
    GitError::Failed { command: "cat-file".into(), code: None, words: format!("{commit} is not there") }
}

/// A checkpoint's parent, where the commit is ours; an agent's commit that is a checkpoint is HEAD itself.
fn head_under(commit: &Sha, text: &str) -> Option<Sha> {
    let (header, message) = text.split_once("\n\n").unwrap_or((text, ""));
    let ours = header.lines().any(|line| line.starts_with("committer Makima <makima@localhost> "))
        && message.lines().any(|line| line.starts_with(super::TRAILER));
    if !ours {
        return Some(commit.clone());
    }
    header.lines().find_map(|line| line.strip_prefix("parent ")).and_then(Sha::parse)
}

impl Previous {
    pub(super) fn is(&self, scanned: &Scanned) -> bool {
        // A task that began with nothing and has nothing yet: the empty tree is no change.
        let files = match &self.tree {
            Some(tree) => *tree == scanned.tree,
            None => is_empty_tree(&scanned.tree),
        };
        files && self.head == scanned.head.commit
    }
}

/// The empty tree has the same name in every repository.
fn is_empty_tree(tree: &Sha) -> bool {
    const SHA1: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    const SHA256: &str = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";
    matches!(tree.as_str(), SHA1 | SHA256)
}
