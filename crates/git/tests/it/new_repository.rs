//! A repository made out of a folder.

use crate::lab::Lab;
use makima_git::{BranchName, Person};
use std::fs;
use std::time::UNIX_EPOCH;

#[tokio::test]
async fn a_folder_becomes_a_repository_with_one_commit_of_all_of_it() {
    let lab = Lab::new().await;
    let folder = lab.path().join("new");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/a.txt"), "a\n").unwrap();
    let ada = Person { name: "Ada".into(), email: "ada@example.com".into() };
    let main = BranchName::new("main").unwrap();
    lab.git.create_repository(&folder, &main, "Begin", &ada, UNIX_EPOCH).await.unwrap();
    let repo = lab.at(&folder);
    assert_eq!(repo.git(&["log", "--all", "--format=%an %s %D"]).trim(), "Ada Begin HEAD -> main");
    assert_eq!(repo.git(&["ls-tree", "-r", "--name-only", "HEAD"]).trim(), "src/a.txt");
    assert_eq!(repo.git(&["status", "--porcelain"]).trim(), "");
}
