//! Every link from one page of the documentation to another leads somewhere.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::text;

/// The pages that a reader meets, beginning with the README.
const FIRST: &str = "README.md";

/// The targets of the links of a page, without those to the web.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

/// The anchors of a page's headings, as forges make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let kept = |char: &char| char.is_alphanumeric() || "-_ ".contains(*char);
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            heading.chars().filter(kept).collect::<String>()
        })
        .map(|heading| heading.replace(' ', "-"))
        .collect()
}

/// A target as a path of the repository, seen from a page.
fn resolved(page: &Path, target: &str) -> PathBuf {
    let mut path = page.parent().unwrap().to_path_buf();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{target} leads out of the repository"),
            part => path.push(part),
        }
    }
    path
}

#[test]
fn every_link_leads_somewhere_and_every_page_is_reached() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut reached = BTreeSet::from([PathBuf::from(FIRST)]);
    let mut unread = vec![PathBuf::from(FIRST)];
    while let Some(page) = unread.pop() {
        let content = text(page.to_str().unwrap());
        for link in links(&content) {
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = match target {
                "" => page.clone(),
                target => resolved(&page, target),
            };
            assert!(root.join(&path).exists(), "{}: {link}", page.display());
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            if !anchor.is_empty() {
                let there = anchors(&text(path.to_str().unwrap()));
                assert!(there.contains(anchor), "{}: {link}", page.display());
            }
            if reached.insert(path.clone()) {
                unread.push(path);
            }
        }
    }
    for page in [
        "deploy/README.md",
        "deploy/behaviour.md",
        "deploy/elsewhere.md",
        "deploy/options.md",
        "deploy/runbook.md",
        "deploy/scale.md",
        "deploy/telemetry.md",
        "tests/README.md",
        "tests/bench/README.md",
        "tests/sandbox/README.md",
    ] {
        assert!(reached.contains(Path::new(page)), "nobody links to {page}");
    }
}

#[test]
fn an_anchor_is_made_as_forges_make_it() {
    let page = "# How it behaves\n### Move: from `x.y`, twice\nno # heading\n";
    let expected = ["how-it-behaves", "move-from-xy-twice"].map(str::to_owned);
    assert_eq!(anchors(page), BTreeSet::from(expected));
    assert_eq!(links("[a](b.md#c) [d](https://e) ![f](g)"), ["b.md#c", "g"]);
}
