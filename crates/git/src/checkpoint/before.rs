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
    /// `previous` may be on another machine alone: then it is `base` that counts, which has to be here.
    pub(super) async fn before(
        &self,
        previous: Option<&Sha>,
        base: Option<&Sha>,
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
        let earlier: Vec<&Sha> = previous.into_iter().chain(base).collect();
        for commit in &earlier {
            asked += &format!("info {commit}^{{tree}}\ncontents {commit}\n");
        }
        let said = self.run("cat-file").arg("--batch-command").stdin(asked).ok().await?;
        let mut said = Said(&said);
        let head = Head { commit: said.name(), tree: said.name() };
        let made = said.name().zip(said.name());
        for commit in earlier {
            let (tree, text) = (said.name(), said.contents());
            if let (Some(tree), Some(text)) = (tree, text) {
                let previous = Previous { tree: Some(tree), head: head_under(commit, &text) };
                return Ok(Before { head, previous, made });
            }
        }
        match base {
            Some(base) => Err(missing(base)),
            None => Ok(Before { head, previous: Previous::default(), made }),
        }
    }

    /// What HEAD was when a checkpoint was made.
    pub(super) async fn head_of(&self, checkpoint: &Sha) -> Result<Option<Sha>, GitError> {
        let text = self.run("cat-file").args(["commit", checkpoint.as_str()]).ok().await?;
        Ok(head_under(checkpoint, &String::from_utf8_lossy(&text)))
    }
}

/// What `cat-file` has yet to be read of.
struct Said<'a>(&'a [u8]);

impl Said<'_> {
    /// `<name> <type> <size>`, or `<what was asked> missing`.
    fn line(&mut self) -> Option<String> {
        let end = self.0.iter().position(|b| *b == b'\n')?;
        let line = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = &self.0[end + 1..];
        Some(line).filter(|line| !line.ends_with(" missing"))
    }

    fn name(&mut self) -> Option<Sha> {
        Sha::parse(self.line()?.split(' ').next()?)
    }

    /// An object, and the newline after it.
    fn contents(&mut self) -> Option<String> {
        let size: usize = self.line()?.rsplit(' ').next()?.parse().ok()?;
        let (text, rest) = self.0.split_at_checked(size)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    }
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
