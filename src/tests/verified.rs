//! docs/verification.md is what tests say of themselves, and tests that pages name are there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;

use super::{ROOT, assert_part, pages, sources};

/// In front of a test: `// Verified: PRODUCER | WHAT | HOW NEAR`.
const CLAIM: &str = "// Verified: ";

struct Claim {
    what: String,
    near: String,
    test: String,
    path: String,
}

/// What tests say, by the producer that they compare with.
fn claims() -> BTreeMap<String, Vec<Claim>> {
    let mut claims: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
    let name = Regex::new(r"fn (\w+)").unwrap();
    for (path, text) in ["src", "tests/all", "crates"].into_iter().flat_map(sources) {
        for (at, _) in text.match_indices(CLAIM) {
            let rest = &text[at + CLAIM.len()..];
            let Some((line, behind)) = rest.split_once('\n') else {
                continue;
            };
            // Not the constant above.
            let [producer, what, near] = line.split(" | ").collect::<Vec<_>>()[..] else {
                continue;
            };
            if producer == "PRODUCER" {
                continue;
            }
            let (attributes, _) = behind.split_once("fn ").unwrap();
            assert!(attributes.contains("#[test]"), "{}: {line}", path.display());
            claims.entry(producer.to_owned()).or_default().push(Claim {
                what: what.to_owned(),
                near: near.to_owned(),
                test: name.captures(behind).unwrap()[1].to_owned(),
                path: path.display().to_string(),
            });
        }
    }
    claims
}

#[test]
fn the_reference_of_what_is_verified_is_what_tests_say() {
    let mut table = String::from("| with | what | how near | test |\n| --- | --- | --- | --- |\n");
    for (producer, claims) in claims() {
        for Claim {
            what,
            near,
            test,
            path,
        } in claims
        {
            let _ = writeln!(
                table,
                "| {producer} | {what} | {near} | [`{test}`](../{path}) |"
            );
        }
    }
    assert_part("docs/verification.md", "verified", &table);
}

/// A link to a source whose text is in backticks names a function in it: [`name`](path.rs).
#[test]
fn every_test_that_a_page_names_is_there() {
    let link = Regex::new(r"\[`(\w+)`\]\(([^)]+\.rs)\)").unwrap();
    let mut seen = 0;
    for page in pages() {
        for found in link.captures_iter(&page.text) {
            let [name, path] = [&found[1], &found[2]];
            let path = Path::new(ROOT).join(page.path.parent().unwrap()).join(path);
            let text = std::fs::read_to_string(&path).unwrap();
            let from = page.path.display();
            let function =
                Regex::new(&format!(r"#\[test\](?:\s*#\[[^\n]*)*\s*fn {name}\(")).unwrap();
            assert!(
                function.is_match(&text),
                "{from}: no test {name} in {}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}
