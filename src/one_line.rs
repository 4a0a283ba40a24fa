//! Errors, panics and paths as text for messages.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The longest message, in characters: names and values in files may have any length.
const LONGEST: usize = 2000;

/// An error and its causes, without what would move a terminal's cursor.
pub(crate) fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = match error.downcast_ref::<io::Error>() {
            // Without its number, which says nothing to a reader.
            Some(error)
                if error.raw_os_error().is_some() && error.kind() == ErrorKind::NotFound =>
            {
                "there is no such file or folder".to_owned()
            }
            _ => error.to_string(),
        };
        // Transparent wrappers say the same as what they wrap.
        if !text.ends_with(&next) {
            text = text + ": " + &next;
        }
        cause = error.source();
    }
    let mut characters = without_trace(&text).chars();
    let mut line = String::new();
    for character in characters.by_ref().take(LONGEST) {
        match character {
            '\n' => line.push(' '),
            control if control.is_control() => line.extend(control.escape_default()),
            other => line.push(other),
        }
    }
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// A message without the C++ stack trace that libtorch appends to it.
pub(crate) fn without_trace(text: &str) -> &str {
    let cut = |text, mark| str::split(text, mark).next().unwrap_or_default();
    ["Exception raised from", "frame #"]
        .into_iter()
        .fold(text, cut)
        .trim_end()
}

/// A text as it is printed: names of files, tags and layers may hold what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    let is_kept = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars()
        .map(|c| {
            if is_kept(c) {
                c.to_string()
            } else {
                c.escape_default().to_string()
            }
        })
        .collect()
}

/// A panic's message; empty where it is no text.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or_default()
}

/// The first `most` of the items, and how many more there are: `a, b, and 4 more`.
pub(crate) fn listed(
    items: impl IntoIterator<Item = impl Display>,
    separator: &str,
    most: usize,
) -> String {
    let mut items = items.into_iter();
    let named = items.by_ref().take(most).map(|item| item.to_string());
    let named = named.collect::<Vec<_>>().join(separator);
    match items.count() {
        0 => named,
        more => format!("{named}{separator}and {more} more"),
    }
}

/// A path as it must be typed in a shell.
pub(crate) fn shell_quoted(path: &Path) -> String {
    let is_flag = path.as_os_str().as_encoded_bytes().starts_with(b"-");
    // Else a flag to whatever program it is given to.
    let path = if is_flag {
        &Path::new(".").join(path)
    } else {
        path
    };
    word_quoted(&path.display().to_string())
}

/// A word, a flag for one, as it must be typed in a shell.
pub(crate) fn word_quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_begins_with_a_dash_is_no_flag() {
        assert_eq!(shell_quoted(Path::new("-x.pth")), "./-x.pth");
        assert_eq!(shell_quoted(Path::new("-x y")), "'./-x y'");
    }

    #[test]
    fn the_first_are_named_and_the_others_counted() {
        assert_eq!(listed(["a", "b", "c"], ", ", 3), "a, b, c");
        assert_eq!(listed(1..=7, "; ", 2), "1; 2; and 5 more");
        assert_eq!(listed([] as [u8; 0], ", ", 2), "");
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let text = "runs/\u{1b}[31mred\u{7}\u{9b}\tæ\n";
        assert_eq!(printable(text), "runs/\\u{1b}[31mred\\u{7}\\u{9b}\tæ\n");
    }

    #[test]
    fn an_error_is_one_line_without_a_stack_trace() {
        let text = "out of memory\ntry less\nException raised from malloc at c10/a.cpp:3 (most recent call \
                    first):\nframe #0: c10::Error::Error(c10::SourceLocation) + 0x80 (0x7f in libc10.so)\n";
        let error = std::io::Error::other(text);
        assert_eq!(one_line(&error), "out of memory try less");
        let error = std::io::Error::other("an ordinary one");
        assert_eq!(one_line(&error), "an ordinary one");
        let error = std::io::Error::other("red \u{1b}[31m\rx");
        assert_eq!(one_line(&error), "red \\u{1b}[31m\\rx");
        let error = std::io::Error::other("x".repeat(1 << 20));
        assert_eq!(one_line(&error).chars().count(), LONGEST + 1);
    }
}
