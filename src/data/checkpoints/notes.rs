//! Lists of names in notes and errors.

/// Names in a note; the others are counted.
const NAMED: usize = 5;

/// `a, b, c and 4 more`
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let (first, others) = names.split_at(names.len().min(NAMED));
    let first = first.join(", ");
    match others.len() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// What is said of files that are left out.
pub(super) fn left_out<'a>(names: impl Iterator<Item = &'a str>, why: &str) -> String {
    format!("left out: {} ({why})", listed(names))
}
