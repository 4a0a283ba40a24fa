//! Short, unique names for images, fit for tags.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

/// First parts of the tags that a run writes anyway; an image of that name would be drawn into
/// their group.
const RESERVED: &[&str] = &["config", "feature_maps", "input", "kernels"];

/// Characters of a file's stem that are kept; file systems allow 255 bytes, a card's title less.
const LONGEST: usize = 64;

/// One name for each path: its cleaned stem, with as few of its folders before it as make it
/// unique, case ignored, and a number after it where folders do not.
pub(crate) fn unique_names(paths: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = paths.iter().map(|path| cleaned_parts(path)).collect();
    let mut used: Vec<usize> = vec![1; parts.len()];
    loop {
        let names: Vec<String> = parts
            .iter()
            .zip(&used)
            .map(|(p, &n)| joined(p, n))
            .collect();
        let counts = count(&names);
        let mut changed = false;
        for ((name, parts), used) in names.iter().zip(&parts).zip(&mut used) {
            if clashes(name, &counts) && *used < parts.len() {
                *used += 1;
                changed = true;
            }
        }
        if !changed {
            return numbered(names, &counts);
        }
    }
}

/// The stem, then the folder that holds the file, then the one that holds that …
fn cleaned_parts(path: &Path) -> Vec<String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let folders = path
        .parent()
        .into_iter()
        .flat_map(Path::components)
        .filter_map(|component| match component {
            Component::Normal(name) => Some(clean(&name.to_string_lossy())),
            _ => None,
        });
    let mut parts: Vec<String> = folders.chain([clean(&stem)]).collect();
    parts.reverse();
    parts
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

fn joined(parts: &[String], used: usize) -> String {
    let mut chosen: Vec<&str> = parts.iter().take(used).map(String::as_str).collect();
    chosen.reverse();
    chosen.join("_")
}

fn count(names: &[String]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.to_lowercase()).or_insert(0) += 1;
    }
    counts
}

fn clashes(name: &str, counts: &HashMap<String, usize>) -> bool {
    let key = name.to_lowercase();
    RESERVED.contains(&key.as_str()) || counts.get(&key).is_some_and(|&n| n > 1)
}

/// Puts `_2`, `_3` … after all but the first of the names that are still alike.
fn numbered(names: Vec<String>, counts: &HashMap<String, usize>) -> Vec<String> {
    let mut taken: HashSet<String> = RESERVED.iter().map(|&name| name.to_owned()).collect();
    taken.extend(
        counts
            .iter()
            .filter(|&(_, &n)| n == 1)
            .map(|(k, _)| k.clone()),
    );
    let mut result = Vec::with_capacity(names.len());
    for name in names {
        if !clashes(&name, counts) || taken.insert(name.to_lowercase()) {
            result.push(name);
            continue;
        }
        let mut number = 2_usize;
        let mut candidate = format!("{name}_{number}");
        while !taken.insert(candidate.to_lowercase()) {
            number += 1;
            candidate = format!("{name}_{number}");
        }
        result.push(candidate);
    }
    result
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
    fn folders_tell_equal_stems_apart() {
        assert_eq!(
            names(&["/d/cats/1.png", "/d/dogs/1.png", "/d/dogs/2.png"]),
            ["cats_1", "dogs_1", "2"]
        );
        assert_eq!(
            names(&["/a/x/1.png", "/b/x/1.png", "/c/y/1.png"]),
            ["a_x_1", "b_x_1", "y_1"]
        );
    }

    #[test]
    fn a_name_made_of_folders_meets_a_stem() {
        assert_eq!(
            names(&["/d/cats/1.png", "/d/dogs/1.png", "/d/cats_1.png"]),
            ["d_cats_1", "dogs_1", "d_cats_1_2"]
        );
    }

    #[test]
    fn numbers_where_folders_do_not_help() {
        assert_eq!(
            names(&["/a.png", "/a.jpg", "/A.gif", "/a_2.png"]),
            ["a", "a_3", "A_4", "a_2"]
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
    fn groups_of_the_run_are_not_entered() {
        assert_eq!(
            names(&["/probes/kernels.png", "/Input.png", "/config"]),
            ["probes_kernels", "Input_2", "config_2"]
        );
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
