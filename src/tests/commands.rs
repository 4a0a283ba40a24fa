//! Commands in the documentation are understood by the program, and by make.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use clap::error::ErrorKind;
use regex::Regex;

use super::{ROOT, pages};
use crate::settings::tests::understand;

/// Commands that are no command lines, each with the reason.
const NOT_TYPED: [(&str, &str); 2] = [
    (
        "vggscope checkpoints --shard I/N",
        "I and N stand for numbers",
    ),
    (
        "vggscope checkpoints ckpts/ --images probes/ --run sweep --shard {}/8",
        "xargs puts a number in place of {}",
    ),
];

/// The words of a line up to a comment, a pipe or another command, as a shell takes them apart.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut quote = None;
    let mut is_inside = false;
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                if !is_inside {
                    words.push(String::new());
                    is_inside = true;
                }
            }
            (Some(open), c) if c == open => quote = None,
            (None, c) if c.is_whitespace() => is_inside = false,
            (None, '#' | '|' | '&' | ';' | '>') if !is_inside => break,
            (_, c) => {
                if !is_inside {
                    words.push(String::new());
                    is_inside = true;
                }
                words.last_mut().unwrap().push(c);
            }
        }
    }
    words
}

/// The command lines of the program, in blocks of code and in backticks, each from `vggscope` on.
fn command_lines(text: &str) -> Vec<String> {
    let call = Regex::new(r"(?m)(?:^|[\s/'`(])(vggscope [a-z][^`\n]*)").unwrap();
    // A line that ends with a backslash goes on.
    let text = text.replace("\\\n", " ");
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            continue;
        }
        let code: Vec<&str> = if is_code || line.starts_with("    ") {
            vec![line]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        let calls = code.iter().filter_map(|code| call.captures(code));
        found.extend(calls.map(|call| call[1].trim_end_matches('\'').to_owned()));
    }
    found
}

#[test]
fn every_command_line_is_understood() {
    let (mut seen, mut wrong) = (0, String::new());
    for page in pages() {
        for line in command_lines(&page.text) {
            if NOT_TYPED.iter().any(|(known, _)| *known == line) {
                continue;
            }
            seen += 1;
            if let Err(error) = understand(&words(&line)) {
                // A name of a command in a sentence.
                if error.kind() != ErrorKind::MissingRequiredArgument {
                    let _ = writeln!(wrong, "{}: {line}: {error}", page.path.display());
                }
            }
        }
    }
    assert!(wrong.is_empty() && seen > 30, "{seen} {wrong}");
}

#[test]
fn every_make_target_is_there() {
    let makefile = std::fs::read_to_string(Path::new(ROOT).join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(targets, _)| !targets.starts_with(['\t', ' ', '.', '#']))
        .flat_map(|(targets, _)| targets.split_whitespace())
        .collect();
    let call = Regex::new(r"(?m)(?:^|[\s`])make ([a-z-]+)").unwrap();
    let mut wrong = BTreeSet::new();
    for page in pages() {
        let mut is_code = false;
        for line in page.text.lines() {
            is_code ^= line.starts_with("```");
            let code: Vec<&str> = match line.strip_prefix("    ") {
                Some(line) => vec![line],
                None if is_code => vec![line],
                None => line.split('`').skip(1).step_by(2).collect(),
            };
            for found in code.iter().flat_map(|code| call.captures_iter(code)) {
                if !targets.contains(&found[1]) {
                    wrong.insert(format!("{}: {}", page.path.display(), &found[1]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "no targets: {wrong:?}");
}
