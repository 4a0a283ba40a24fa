//! Short, unique names for images, fit for tags.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::tags::GROUPS;

/// Characters of a file's or folder's name that are kept; file systems allow 255 bytes, a card's
/// title less.
const LONGEST: usize = 64;

/// One name for each path: the cleaned stem; where stems are equal, case ignored, the path below
/// their common folder; and a number after it where that is taken too.
pub(crate) fn unique_names(paths: &[PathBuf]) -> Vec<String> {
    let all: Vec<Vec<String>> = paths.iter().map(|path| folders_and_stem(path)).collect();
    let key = |parts: &[String]| joined(parts, 1).to_lowercase();
    let mut groups: HashMap<String, Vec<&[String]>> = HashMap::new();
    for parts in &all {
        groups.entry(key(parts)).or_default().push(parts);
    }
    // An image of the name of a group would be drawn into it.
    let mut taken: HashSet<String> = GROUPS.iter().map(|&group| group.to_owned()).collect();
    let unique = |parts: &Vec<String>| {
        let group = &groups[&key(parts)];
        let name = joined(parts, parts.len() - common_folders(group));
        let mut candidate = name.clone();
        let mut number = 2;
        while !taken.insert(candidate.to_lowercase()) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        candidate
    };
    all.iter().map(unique).collect()
}

fn folders_and_stem(path: &Path) -> Vec<String> {
    let folders = path.parent().into_iter().flat_map(Path::iter);
    let parts = folders.chain([path.file_stem().unwrap_or_default()]);
    parts
        .map(|part| part.to_string_lossy().into_owned())
        .collect()
}

/// How many folders the paths have in common from the root on; all of them for a single path.
fn common_folders(paths: &[&[String]]) -> usize {
    let [first, others @ ..] = paths else {
        return 0;
    };
    let folders = |path: &[String]| path.len().saturating_sub(1);
    let common = |path: &&[String]| {
        let pairs = first.iter().zip(*path).take(folders(path));
        pairs.take_while(|(a, b)| a == b).count()
    };
    let common = others.iter().map(common);
    common.fold(folders(first), usize::min)
}

/// The last parts of a path, cleaned and joined.
fn joined(parts: &[String], count: usize) -> String {
    let parts = &parts[parts.len().saturating_sub(count)..];
    parts
        .iter()
        .map(|part| clean(part))
        .collect::<Vec<_>>()
        .join("_")
}

/// The usual writers of event files make `_` of everything in a tag but word characters, `-`, `.`
/// and `/`; a `/` would open a group, and a leading dot would hide or misplace a file of that name.
fn clean(text: &str) -> String {
    let mut leading = true;
    let mut cleaned: String = text
        .chars()
        .take(LONGEST)
        .map(|c| {
            leading &= c == '.';
            match c {
                '.' if !leading => c,
                '-' | '_' => c,
                c if c.is_alphanumeric() => c,
                _ => '_',
            }
        })
        .collect();
    if cleaned.is_empty() {
        cleaned.push('_');
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(paths: &[&str]) -> Vec<String> {
        unique_names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn stems_where_they_differ() {
        assert_eq!(
            names(&["/p/chelsea.png", "/q/coffee.v2.jpg", "/p/x"]),
            ["chelsea", "coffee.v2", "x"]
        );
    }

    #[test]
    fn folders_distinguish_equal_stems() {
        assert_eq!(
            names(&["/d/cats/1.png", "/d/dogs/1.png", "/d/dogs/2.png"]),
            ["cats_1", "dogs_1", "2"]
        );
        assert_eq!(
            names(&["/a/x/1.png", "/b/x/1.png", "/c/y/1.png"]),
            ["a_x_1", "b_x_1", "c_y_1"]
        );
        assert_eq!(names(&["/d/1.png", "/d/e/1.png"]), ["1", "e_1"]);
    }

    #[test]
    fn numbers_where_folders_do_not_help() {
        assert_eq!(
            names(&["/a.png", "/a.jpg", "/A.gif", "/a_2.png"]),
            ["a", "a_2", "A_3", "a_2_2"]
        );
        assert_eq!(
            names(&["/d/cats/1.png", "/d/dogs/1.png", "/d/cats_1.png"]),
            ["cats_1", "dogs_1", "cats_1_2"]
        );
    }

    #[test]
    fn what_tags_dislike_is_replaced() {
        assert_eq!(
            names(&[
                "/my photo #1 (über).png",
                "/...png",
                "/.hidden",
                "/日本.png",
                "/a:b\\c.png"
            ]),
            ["my_photo__1__über_", "__", "_hidden", "日本", "a_b_c"]
        );
        assert_eq!(names(&[&format!("/{}.png", "x".repeat(200))])[0].len(), 64);
    }

    #[test]
    fn names_of_tag_groups_are_not_used() {
        assert_eq!(
            names(&["/probes/kernels.png", "/Input.png", "/config"]),
            ["kernels_2", "Input_2", "config_2"]
        );
        for group in GROUPS {
            assert_eq!(names(&[&format!("/{group}.png")]), [format!("{group}_2")]);
        }
    }

    proptest! {
        #[test]
        fn always_unique_and_fit_for_tags(
            paths in prop::collection::vec("/([ab]/){0,2}[aA_.2 ]{1,3}(\\.png)?", 1..12)
        ) {
            let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
            let names = unique_names(&paths);
            prop_assert_eq!(names.len(), paths.len());
            let different: HashSet<String> = names.iter().map(|n| n.to_lowercase()).collect();
            prop_assert_eq!(different.len(), names.len());
            for name in &names {
                prop_assert!(!name.is_empty() && !name.starts_with('.'));
                prop_assert!(name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c)));
            }
        }
    }
}
