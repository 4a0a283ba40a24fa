//! What is said of files that are not of the sequence.

use crate::one_line::listed;

/// Names in a note or an error; the others are counted.
pub(super) const NAMED: usize = 5;

/// What is said of files that are left out.
pub(super) fn left_out<'a>(names: impl Iterator<Item = &'a str>, why: &str) -> String {
    format!("left out: {} ({why})", listed(names, ", ", NAMED))
}
