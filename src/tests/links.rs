//! Links and paths in the documentation lead somewhere.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

use super::{ROOT, pages};

/// `a/../b` to `b`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// A page without its blocks of code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that GitHub gives headings: `#what-it-does`.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            });
            kept.collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut seen = 0;
    for page in pages() {
        let folder = page.path.parent().unwrap();
        for found in link.captures_iter(&prose(&page.text)) {
            let target = &found[1];
            if target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = match path {
                "" => page.path.clone(),
                path => plain(&folder.join(path)),
            };
            let whole = Path::new(ROOT).join(&to);
            let from = page.path.display();
            assert!(whole.exists(), "{from}: {target} leads nowhere");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&whole).unwrap();
                let anchors = anchors(&prose(&text));
                assert!(
                    anchors.contains(anchor),
                    "{from}: {target}: no such heading"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// In backticks: `src/tags.rs`, `crates/feature-grid/`; not `tests/…`, whose end is open.
#[test]
fn every_path_of_the_sources_is_there() {
    let path = Regex::new(
        r"`((?:src|tests|crates|docs|benches|scripts|examples|fuzz|configs|photos|\.ci)/[\w./-]*)`",
    )
    .unwrap();
    let mut wrong = BTreeSet::new();
    // What the changelog names may be gone.
    for page in pages()
        .iter()
        .filter(|page| page.path != Path::new("CHANGELOG.md"))
    {
        for found in path.captures_iter(&prose(&page.text)) {
            let [from, to] = [page.path.as_path(), Path::new(&found[1])];
            // Of a crate, or of the package.
            let is_there = [from.parent().unwrap().join(to), to.to_owned()]
                .iter()
                .any(|to| Path::new(ROOT).join(to).exists());
            if !is_there {
                wrong.insert(format!("{}: {}", from.display(), to.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "there is no {wrong:?}");
}
