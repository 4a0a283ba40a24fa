//! docs/architecture.md has all rooms, from top to bottom, and a picture of which uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;

use super::{ROOT, assert_part, sources};

/// What is no room: the front pages, and what is for tests alone.
const NO_ROOMS: [&str; 4] = ["fuzz.rs", "lib.rs", "main.rs", "tests"];

/// The rooms in the table of the page, from the top: `src/data/`, `src/tags.rs`, `crates/feature-grid/`.
fn rooms() -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/architecture.md")).unwrap();
    let row = Regex::new(r"(?m)^\| `((?:src|crates)/[^`]+)` \|").unwrap();
    row.captures_iter(&page)
        .map(|found| found[1].to_owned())
        .collect()
}

/// As code names it: `data`, `tags`, `feature_grid`.
fn module(room: &str) -> String {
    let name = room.trim_end_matches('/').rsplit('/').next().unwrap();
    name.trim_end_matches(".rs").replace('-', "_")
}

/// The modules that each room uses, by their numbers in `rooms`.
fn uses(rooms: &[String]) -> BTreeMap<usize, BTreeSet<usize>> {
    let number: BTreeMap<String, usize> = rooms.iter().map(|room| module(room)).zip(0..).collect();
    let comment = Regex::new("//.*").unwrap();
    let name = Regex::new(r"\b(crate::|)(\w+)\b(::)?").unwrap();
    let mut uses = BTreeMap::new();
    for (at, room) in rooms.iter().enumerate() {
        let is_crate = room.starts_with("crates/");
        let below: &mut BTreeSet<usize> = uses.entry(at).or_default();
        // A test may ask rooms above what they make of an error.
        let is_test = |path: &Path| {
            path.components()
                .any(|part| part.as_os_str().to_string_lossy().starts_with("tests"))
        };
        for (path, text) in sources(room).filter(|(path, _)| !is_test(path)) {
            let code = comment.replace_all(&text, "");
            assert!(
                is_crate || !code.contains("crate::{"),
                "{}: one room a line",
                path.display()
            );
            for found in name.captures_iter(&code) {
                let is_room = &found[1] == "crate::" && !is_crate;
                let other_crate = matches!(&found[2], "feature_grid" | "tensorboard_events");
                if is_room || other_crate && found.get(3).is_some() {
                    below.extend(number.get(&found[2]).filter(|&&other| other != at));
                }
            }
        }
    }
    uses
}

#[test]
fn every_room_is_in_the_table() {
    let rooms = rooms();
    let named: BTreeSet<&str> = rooms.iter().map(String::as_str).collect();
    for folder in ["src", "crates"] {
        for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let end = if entry.path().is_file() { "" } else { "/" };
            let room = format!("{folder}/{name}{end}");
            assert!(
                named.contains(&*room) || NO_ROOMS.contains(&&*name),
                "{room} is not in the table of docs/architecture.md"
            );
        }
    }
}

/// So there is no circle of rooms either.
#[test]
fn no_room_uses_one_above_it() {
    let rooms = rooms();
    for (room, used) in uses(&rooms) {
        for other in used {
            assert!(other > room, "{} uses {}", rooms[room], rooms[other]);
        }
    }
}

/// The folders alone: a file of its own is for all. An arrow that follows from others is left out.
#[test]
fn the_reference_of_rooms_is_what_imports_say() {
    let rooms = rooms();
    let mut uses = uses(&rooms);
    for used in uses.values_mut() {
        used.retain(|&other| rooms[other].ends_with('/'));
    }
    let reached = |from: usize| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<usize> = uses[&from].iter().copied().collect();
        while let Some(room) = next.pop() {
            if reached.insert(room) {
                next.extend(&uses[&room]);
            }
        }
        reached
    };
    let mut picture = String::from("```mermaid\nflowchart TD\n");
    for (&room, used) in uses.iter().filter(|(room, _)| rooms[**room].ends_with('/')) {
        let further: BTreeSet<usize> = used.iter().flat_map(|&other| reached(other)).collect();
        let drawn: Vec<String> = used
            .difference(&further)
            .map(|&other| module(&rooms[other]).replace('_', "-"))
            .collect();
        if !drawn.is_empty() {
            let _ = writeln!(
                picture,
                "    {} --> {}",
                module(&rooms[room]),
                drawn.join(" & ")
            );
        }
    }
    picture.push_str("```\n");
    assert_part("docs/architecture.md", "rooms", &picture);
}
