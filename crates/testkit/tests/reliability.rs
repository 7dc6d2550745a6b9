//! The page on what is proven is what the tests say that they prove.

use makima_testkit::{reliability, workspace_root};
use std::{collections::BTreeSet, fs};

#[test]
fn the_page_says_what_the_tests_prove() {
    let workspace = workspace_root();
    let kept = fs::read_to_string(workspace.join("docs/reliability.md")).unwrap();
    let page = reliability::page(&kept, &reliability::proofs(&workspace));
    assert!(page == kept, "docs/reliability.md is out of date: `make docs` writes it anew");
}

#[test]
fn a_proof_names_whole_cases_and_reports_that_there_are() {
    let known: BTreeSet<usize> = reliability::REPORTS.iter().map(|report| report.number).collect();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), (1..=28).collect::<Vec<_>>());
    for proof in reliability::proofs(&workspace_root()) {
        for case in &proof.cases {
            assert!(!case.fault.is_empty() && !case.moment.is_empty(), "{proof:?}");
        }
        assert!(proof.reports.iter().all(|number| (1..=28).contains(number)), "{proof:?}");
    }
}
