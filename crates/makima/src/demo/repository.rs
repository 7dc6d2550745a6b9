//! The demonstration's repository.

use crate::{
    environment,
    failure::{Failure, chain},
};
use makima_git::{BranchName, Environment, Git, Person};
use std::{fs, io, path::Path, time::SystemTime};

/// The repository's files.
const FILES: &[(&str, &str)] = &[
    ("README.md", include_str!("repository/README.md")),
    ("tally.sh", include_str!("repository/tally.sh")),
    ("test.sh", include_str!("repository/test.sh")),
    ("build/tally-0.1.sh", include_str!("repository/build/tally-0.1.sh")),
];

/// Makes it, with one commit. What is there of an earlier try goes away.
pub(super) async fn make(folder: &Path) -> Result<(), Failure> {
    let broken =
        |error: io::Error| Failure::because("the demonstration's repository could not be written", &error);
    // It says in its own words what is wrong with the machine's git.
    let git = Git::find(Environment::pick(environment::all())).await;
    let git = git.map_err(|error| Failure::new(chain(&error)))?;
    // Made beside its place, so that half of it is never taken for it.
    let new = folder.with_extension("new");
    for stale in [&new, &folder.to_owned()] {
        match fs::remove_dir_all(stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(error)),
            _ => {}
        }
    }
    for (path, text) in FILES {
        let path = new.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(broken)?;
        fs::write(path, text).map_err(broken)?;
    }
    let branch = BranchName::new("main").map_err(|error| Failure::new(chain(&error)))?;
    let author = Person { name: "Makima".to_owned(), email: "makima@localhost".to_owned() };
    git.create_repository(&new, &branch, "Add up numbers", &author, SystemTime::now())
        .await
        .map_err(|error| Failure::new(chain(&error)))?;
    fs::rename(&new, folder).map_err(broken)
}
