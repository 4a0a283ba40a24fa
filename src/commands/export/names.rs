//! Where a tag's files go.

use std::collections::HashSet;
use std::path::PathBuf;

/// Bytes of a part of a path. File systems take 255, of which an ending and a number have some.
const LONGEST_PART: usize = 200;

/// The paths that were given out, in lower case: some file systems do not tell cases apart.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<String>);

impl Names {
    /// The path, or the first with a number behind it that no other tag or animation has.
    pub(crate) fn claim(&mut self, path: PathBuf) -> PathBuf {
        let numbered = |number: usize| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!("_{number}"));
            PathBuf::from(name)
        };
        let mut candidates = std::iter::once(path.clone()).chain((2..).map(numbered));
        let is_free = |path: &PathBuf| self.0.insert(path.to_string_lossy().to_lowercase());
        candidates.find(is_free).unwrap_or(path)
    }
}

/// A path of a tag's own: a folder for each part of its name. What is too long is cut, and ends with its checksum.
pub(super) fn file_path(tag: &str) -> PathBuf {
    let is_special = |c: char| !c.is_alphanumeric() && !"-_.+= ".contains(c);
    let part = |part: &str| -> String {
        let name = part.replace(is_special, "_");
        // No part leads out of the folder, and none is hidden.
        match name.trim().trim_matches('.') {
            "" => "_".to_owned(),
            name if name.len() > LONGEST_PART => {
                let checksum = format!("_{:08x}", crc32fast::hash(part.as_bytes()));
                let end = name.floor_char_boundary(LONGEST_PART - checksum.len());
                format!("{}{checksum}", &name[..end])
            }
            name => name.to_owned(),
        }
    };
    tag.split('/').map(part).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_tag_becomes_a_path_that_stays_in_the_folder() {
        for (tag, path) in [
            ("feature_maps/05_conv2_1", "feature_maps/05_conv2_1"),
            ("a b/c:d", "a b/c_d"),
            ("../../etc/x", "_/_/etc/x"),
            ("/root", "_/root"),
            ("", "_"),
            ("a.", "a"),
        ] {
            assert_eq!(file_path(tag), Path::new(path), "{tag}");
        }
        let long = ["x", "y"].map(|end| file_path(&("é".repeat(300) + end)));
        assert_ne!(long[0], long[1]);
        for path in long {
            assert!((LONGEST_PART - 1..=LONGEST_PART).contains(&path.as_os_str().len()));
        }
    }

    #[test]
    fn no_two_tags_have_one_path() {
        let mut names = Names::default();
        let claimed = ["out/a_b", "out/a_b", "out/A_B", "out/a_b_2", "out/c"]
            .map(|path| names.claim(PathBuf::from(path)));
        let paths = ["out/a_b", "out/a_b_2", "out/A_B_3", "out/a_b_2_2", "out/c"];
        assert_eq!(claimed, paths.map(PathBuf::from));
    }
}
