//! Which crate uses which: exactly the arrows of `docs/architecture.md`.

// What fails here fails its test, and says where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};

/// Every crate of the workspace, and those that it uses outside of its tests.
const ARROWS: &[(&str, &[&str])] = &[
    // The binary wires everything, so it may name whatever stands in between.
    (
        "makima",
        &[
            "makima-agents",
            "makima-client",
            "makima-daemon",
            "makima-failpoints",
            "makima-git",
            "makima-model",
            "makima-server",
            "makima-store",
            "makima-web",
            "makima-wire",
        ],
    ),
    ("makima-server", &["makima-failpoints", "makima-model", "makima-store", "makima-wire"]),
    ("makima-store", &["makima-model"]),
    (
        "makima-daemon",
        &["makima-agents", "makima-client", "makima-failpoints", "makima-git", "makima-model", "makima-wire"],
    ),
    ("makima-client", &["makima-model", "makima-wire"]),
    ("makima-wire", &["makima-model"]),
    ("makima-agents", &["makima-model"]),
    ("makima-failpoints", &[]),
    ("makima-git", &[]),
    ("makima-web", &[]),
    ("makima-model", &[]),
    ("makima-testkit", &[]),
];

/// The crate that no product uses.
const BENCH: &str = "makima-bench";

fn workspace() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace");
    metadata.packages
}

/// The crates of the workspace that a package uses in this way.
fn used(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    ours.filter(|dependency| kinds.contains(&dependency.kind))
        .map(|dependency| dependency.name.clone())
        .collect()
}

#[test]
fn crates_use_each_other_as_the_architecture_says() {
    let packages = workspace();
    let product: Vec<&Package> = packages.iter().filter(|package| package.name.as_str() != BENCH).collect();
    let found: BTreeMap<String, BTreeSet<String>> = product
        .iter()
        .map(|package| {
            (package.name.to_string(), used(package, &[DependencyKind::Normal, DependencyKind::Build]))
        })
        .collect();
    let drawn: BTreeMap<String, BTreeSet<String>> = ARROWS
        .iter()
        .map(|(user, used)| ((*user).to_owned(), used.iter().map(|used| (*used).to_owned()).collect()))
        .collect();
    assert_eq!(found, drawn, "an arrow was added or taken away: is docs/architecture.md still right?");
}

#[test]
fn nothing_that_is_shipped_uses_what_is_for_tests_or_measuring() {
    for package in workspace() {
        let shipped = used(&package, &[DependencyKind::Normal, DependencyKind::Build]);
        assert!(!shipped.contains(BENCH), "{} uses {BENCH}", package.name);
        assert!(
            package.name.as_str() == BENCH || !shipped.contains("makima-testkit"),
            "{} uses the kit that is for tests",
            package.name
        );
    }
}
