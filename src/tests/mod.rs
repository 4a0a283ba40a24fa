//! What the documentation says is true: its links, paths, commands, tests and the picture of the rooms.

mod commands;
mod links;
mod rooms;
mod verified;

use std::path::{Path, PathBuf};

/// The folder of the package.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A page, its path relative to the package.
struct Page {
    path: PathBuf,
    text: String,
}

/// All pages that users read.
fn pages() -> Vec<Page> {
    let mut pages: Vec<Page> = [
        "",
        "docs",
        "crates/feature-grid",
        "crates/tensorboard-events",
    ]
    .iter()
    .flat_map(|folder| std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap())
    .map(|entry| entry.unwrap().path())
    .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    .map(|path| Page {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(ROOT).unwrap().to_owned(),
    })
    .collect();
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(pages.len() > 15);
    pages
}

/// The sources in a folder of the package, by path.
fn sources(folder: &str) -> impl Iterator<Item = (PathBuf, String)> {
    walkdir::WalkDir::new(Path::new(ROOT).join(folder))
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.strip_prefix(ROOT).unwrap().to_owned(), text)
        })
}

/// Compares what a page has between `<!-- NAME -->` and `<!-- end -->` with what a test made; `make reference` writes it.
fn assert_part(page: &str, name: &str, made: &str) {
    let path = Path::new(ROOT).join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, behind) = rest.split_once("<!-- end -->").unwrap();
    let written = format!("{before}{begin}{made}<!-- end -->{behind}");
    if std::env::var_os("VGGSCOPE_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, written).unwrap();
    } else {
        assert!(text == written, "make reference writes {page} again");
    }
}
