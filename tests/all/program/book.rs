//! Every error that a test of the program meets, in one book: `tests/all/messages/`. Those that are on no page of a
//! command stand in `errors.txt`, below the tests that meet them. `make messages` writes both again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use regex::Regex;

use super::support::{CPU, root};

static BOOK: LazyLock<Mutex<Book>> = LazyLock::new(|| Mutex::new(Book::read()));

struct Book {
    /// By test module; the key of a line is the line without its numbers.
    errors: BTreeMap<String, BTreeMap<String, String>>,
    on_pages: BTreeSet<String>,
    is_written: bool,
}

/// Asserts that the errors of a command are in the book; with `VGGSCOPE_WRITE_ERRORS`, writes them there.
#[track_caller]
pub(super) fn assert_has_errors_of(said: &str) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    // The pages have theirs; what a fault comes to depends on the call that it meets, and some errors on the device.
    let is_of_others = test.contains("::messages::") || test.contains("::torture::");
    let is_on_cpu =
        cfg!(feature = "libtorch") && std::env::var_os("VGGSCOPE_TEST_DEVICE").is_none();
    if is_of_others || !is_on_cpu {
        return;
    }
    let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
    for line in said.lines().filter(|line| line.starts_with("error: ")) {
        let line = without_places(line);
        let key = without_numbers(&line);
        if !book.is_written {
            if book.on_pages.contains(&key) || book.errors.values().any(|of| of.contains_key(&key))
            {
                continue;
            }
            // Which devices there are is the machine's.
            let is_known = line.contains(" is unavailable");
            assert!(
                is_known,
                "not in tests/all/messages/ (`make messages` writes it there): {line}"
            );
            continue;
        }
        let module = test.rsplit_once("::").map_or("", |(module, _)| module);
        let errors = book.errors.entry(module.to_owned()).or_default();
        let kept = errors.entry(key).or_insert_with(|| line.clone());
        // Whichever test is first.
        *kept = line.min(kept.clone());
        book.write();
    }
}

impl Book {
    fn read() -> Self {
        let pages = fs::read_dir(folder())
            .unwrap()
            .map(|page| page.unwrap().path());
        let on_pages = pages
            .filter(|page| page.extension().is_some_and(|ending| ending == "snap"))
            .flat_map(|page| keys_of(&fs::read_to_string(page).unwrap()))
            .collect();
        let mut errors = BTreeMap::<_, BTreeMap<_, _>>::new();
        let mut module = String::new();
        for line in fs::read_to_string(errors_file())
            .unwrap_or_default()
            .lines()
        {
            match line.strip_prefix("## ") {
                Some(of) => of.clone_into(&mut module),
                None if line.is_empty() => {}
                None => {
                    let of = errors.entry(module.clone()).or_default();
                    of.insert(without_numbers(line), line.to_owned());
                }
            }
        }
        let is_written = std::env::var_os("VGGSCOPE_WRITE_ERRORS").is_some();
        Self {
            errors,
            on_pages,
            is_written,
        }
    }

    /// Each error once: that of the first module.
    fn write(&self) {
        let mut known = self.on_pages.clone();
        let mut chapters = Vec::new();
        for (module, errors) in &self.errors {
            let new = errors
                .iter()
                .filter(|(key, _)| known.insert((*key).clone()));
            let lines: Vec<&str> = new.map(|(_, line)| line.as_str()).collect();
            if !lines.is_empty() {
                chapters.push(format!("## {module}\n{}\n", lines.join("\n")));
            }
        }
        fs::write(errors_file(), chapters.join("\n")).unwrap();
    }
}

fn keys_of(page: &str) -> Vec<String> {
    let errors = page.lines().filter(|line| line.starts_with("error: "));
    errors.map(without_numbers).collect()
}

fn folder() -> PathBuf {
    root().join("tests/all/messages")
}

fn errors_file() -> PathBuf {
    folder().join("errors.txt")
}

/// The line without what only this run has: folders, the device, what a system calls an error; long words cut.
fn without_places(line: &str) -> String {
    static PLACES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        [
            (r"[\w/]*/\.tmp\w{6}/?", ""),
            (r"events\.out\.tfevents\.[\w.-]+", "EVENTS"),
            (r" \(os error \d+\)", ""),
            ("a{40,}", "aaa"),
        ]
        .map(|(pattern, word)| (Regex::new(pattern).unwrap(), word))
    });
    let line = line.replace(&format!("{}/", root().display()), "");
    PLACES
        .iter()
        .fold(line.replace(CPU, "CPU"), |line, (pattern, word)| {
            pattern.replace_all(&line, *word).into_owned()
        })
}

fn without_numbers(line: &str) -> String {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"-?\d+(\.\d+)?(e-?\d+)?").unwrap());
    NUMBER.replace_all(line, "#").into_owned()
}
