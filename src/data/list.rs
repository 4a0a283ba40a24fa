//! Image arguments -> image files, each with a short name of its own.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::find::{self, FindError, LeftOut};
use super::notes::InputNotes;
use super::wanted::IMAGES;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFile {
    pub(crate) path: PathBuf,
    /// A short name that no other image of the list has, not even in another case; made of letters,
    /// digits, `_`, `-` and `.`, so that it can stand in a tag and in a file's name. See
    /// [`list_images`].
    pub(crate) name: String,
}

/// Lists the images that the arguments name, in their order and named as docs/files.md says; what a folder holds
/// besides is noted.
pub(crate) fn list_images<P: AsRef<Path>>(
    args: &[P],
    notes: &InputNotes,
) -> Result<Vec<ImageFile>, FindError> {
    let mut left_out = LeftOut::default();
    let paths = find::find(args, &IMAGES, &mut left_out)?;
    notes.add_left_out(&left_out);
    let places: Result<Vec<_>, _> = paths.iter().map(|path| find::identity(path)).collect();
    let images = unique_names(&places?).into_iter().zip(paths);
    Ok(images
        .map(|(name, path)| ImageFile { path, name })
        .collect())
}

/// What else `Overview/` has than images.
const OVERVIEW: [&str; 2] = ["summary", "dead"];

/// Characters of a file's or folder's name that are kept; file systems allow 255 bytes, a card's
/// title less.
const LONGEST: usize = 64;

/// One name for each path: the cleaned stem; where stems are equal, case ignored, the path below
/// their common folder; and a number after it where that is taken too.
fn unique_names(paths: &[PathBuf]) -> Vec<String> {
    let key = |path: &Path| joined(path, 1).to_lowercase();
    let mut groups: HashMap<String, Vec<&Path>> = HashMap::new();
    for path in paths {
        groups.entry(key(path)).or_default().push(path);
    }
    // `Overview/NAME` is no image's.
    let mut taken: HashSet<String> = OVERVIEW.map(str::to_owned).into();
    let unique = |path: &PathBuf| {
        let group = &groups[&key(path)];
        let common = common_folders(group.iter().copied());
        let name = joined(path, path.components().count() - common);
        let mut candidate = name.clone();
        let mut number = 2;
        while !taken.insert(candidate.to_lowercase()) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        candidate
    };
    paths.iter().map(unique).collect()
}

/// How many folders the paths have in common from the root on; all of them for a single path.
pub(super) fn common_folders<'a>(mut paths: impl Iterator<Item = &'a Path>) -> usize {
    let folders = |path: &Path| path.components().count().saturating_sub(1);
    let Some(first) = paths.next() else {
        return 0;
    };
    let common = |path: &Path| {
        let pairs = first.components().zip(path.components());
        let equal = pairs.take_while(|(a, b)| a == b).count();
        equal.min(folders(path))
    };
    paths.map(common).fold(folders(first), usize::min)
}

/// The last parts of a path without its ending, cleaned and joined.
fn joined(path: &Path, count: usize) -> String {
    let folders = path.parent().into_iter().flat_map(Path::iter);
    let parts: Vec<_> = folders
        .chain([path.file_stem().unwrap_or_default()])
        .collect();
    let last = &parts[parts.len().saturating_sub(count)..];
    let cleaned = last.iter().map(|part| clean(&part.to_string_lossy()));
    cleaned.collect::<Vec<_>>().join("_")
}

/// The usual writers of event files make `_` of everything in a tag but word characters, `-`, `.`
/// and `/`; a `/` would open a group, and a leading dot would hide or misplace a file of that name.
fn clean(text: &str) -> String {
    let mut leading = true;
    let cleaned = text.chars().take(LONGEST).map(|c| {
        leading &= c == '.';
        let is_kept = c == '.' && !leading || c == '-' || c.is_alphanumeric();
        if is_kept { c } else { '_' }
    });
    let cleaned: String = cleaned.collect();
    if cleaned.is_empty() {
        "_".to_owned()
    } else {
        cleaned
    }
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
