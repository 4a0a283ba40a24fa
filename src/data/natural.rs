//! Natural order of paths: `img2` before `img10`.

use std::path::{Path, PathBuf};

/// A path's place in natural order.
///
/// Paths are compared one component at a time, without regard to case, and runs of digits by their
/// value (`img2`, `img10`; `img007` next to `img7`). Paths that are alike in all this are put in
/// the order of their bytes, so that different paths never compare equal.
///
/// The crates that do this compare whole strings instead of components, or digits after a leading
/// zero as a fraction (`010` before `9`).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NaturalKey {
    components: Vec<Vec<Piece>>,
    path: PathBuf,
}

/// A character; or `'0'`, where ASCII has its digits, and the length and digits of a number without
/// leading zeros: so the longer number is the larger one, whatever its length.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    character: char,
    length: usize,
    digits: String,
}

impl NaturalKey {
    pub(crate) fn new(path: &Path) -> Self {
        let names = path
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        Self {
            components: names.map(|name| pieces(&name)).collect(),
            path: path.to_path_buf(),
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let piece = |character, digits: &str| Piece {
        character,
        length: digits.len(),
        digits: digits.to_owned(),
    };
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            pieces.push(piece('0', rest[..digits].trim_start_matches('0')));
        } else {
            pieces.extend(first.to_lowercase().map(|letter| piece(letter, "")));
        }
        rest = &rest[digits.max(first.len_utf8())..];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use proptest::prelude::*;

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        paths.sort_by_cached_key(|path| NaturalKey::new(path));
        paths.iter().map(|p| p.display().to_string()).collect()
    }

    #[test]
    fn digits_by_value_and_case_ignored() {
        assert_eq!(
            sorted(&[
                "img10.png",
                "IMG9.png",
                "img010b.png",
                "img2.png",
                "Img1.png"
            ]),
            [
                "Img1.png",
                "img2.png",
                "IMG9.png",
                "img10.png",
                "img010b.png"
            ]
        );
        assert_eq!(
            sorted(&["v1.10", "v1.9", "v1.09.1", "v1"]),
            ["v1", "v1.9", "v1.09.1", "v1.10"]
        );
    }

    #[test]
    fn component_by_component() {
        // As whole strings "a-b/x" would stand before "a/x", since '-' < '/'.
        assert_eq!(
            sorted(&["a-b/x", "a/y", "a/x", "a10/x", "a9/x"]),
            ["a/x", "a/y", "a-b/x", "a9/x", "a10/x"]
        );
    }

    #[test]
    fn numbers_longer_than_any_integer() {
        let long = format!("a{}", "9".repeat(60));
        let longer = format!("a1{}", "0".repeat(60));
        assert_eq!(sorted(&[&longer, &long]), [long.clone(), longer.clone()]);
    }

    proptest! {
        #[test]
        fn a_total_order(a in "[a-cA-C0-2./-]{0,8}", b in "[a-cA-C0-2./-]{0,8}", c in "[a-cA-C0-2./-]{0,8}") {
            let [a, b, c] = [a, b, c].map(|text| NaturalKey::new(Path::new(&text)));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
            prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a.path == b.path);
        }

        #[test]
        fn numbers_sort_by_value(a in 0_u64.., b in 0_u64.., zeros in 0_usize..4) {
            let key = |n: u64, zeros: usize| NaturalKey::new(Path::new(&format!("x{}{n}y", "0".repeat(zeros))));
            prop_assume!(a != b);
            prop_assert_eq!(key(a, zeros).cmp(&key(b, 0)), a.cmp(&b));
        }
    }
}
