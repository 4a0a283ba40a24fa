//! File, folder and pattern arguments -> files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use glob::MatchOptions;
use thiserror::Error;
use walkdir::WalkDir;

use super::natural::NaturalKey;
pub(crate) use super::wanted::Wanted;
use super::wanted::{CHECKPOINTS, IMAGES};
use crate::one_line::listed;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// How many files of each ending are not wanted.
    endings: BTreeMap<String, usize>,
    /// The links to nothing or to a folder above them, and what they lead to.
    links: BTreeSet<String>,
}

impl LeftOut {
    pub(crate) fn extend(&mut self, other: &Self) {
        for (ending, count) in &other.endings {
            *self.endings.entry(ending.clone()).or_default() += count;
        }
        self.links.extend(other.links.iter().cloned());
    }

    fn add_link(&mut self, link: &Path, what: fmt::Arguments<'_>) {
        self.links.insert(format!("{} ({what})", link.display()));
    }

    fn add_loop(&mut self, link: &Path, above: &Path) {
        let above = above.display();
        self.add_link(link, format_args!("a link to {above}, a folder above it"));
    }

    /// Whether this is a link to a folder that it is in, which is noted.
    pub(crate) fn is_loop(&mut self, folder: &Path) -> bool {
        let target = folder.is_symlink().then(|| folder.canonicalize().ok());
        let inside = parent(folder).canonicalize();
        match (target.flatten(), inside) {
            (Some(target), Ok(inside)) if inside.starts_with(&target) => {
                self.add_loop(folder, &target);
                true
            }
            _ => false,
        }
    }

    /// Whether this is a link to nothing, or to itself, which is noted.
    fn is_dangling(&mut self, path: &Path) -> bool {
        let is_denied = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
        let leads_nowhere = path.metadata().is_err_and(|error| !is_denied(&error));
        let target = path.read_link().ok().filter(|_| leads_nowhere);
        if let Some(target) = &target {
            let target = target.display();
            self.add_link(
                path,
                format_args!("a link to {target}, which leads nowhere"),
            );
        }
        target.is_some()
    }

    /// What is to be said of links that were not followed.
    pub(crate) fn of_links(&self) -> Option<String> {
        let links = listed(&self.links, ", ", 3);
        (!links.is_empty()).then(|| format!("left out: {links}"))
    }

    /// What is to be said of files with other endings.
    pub(crate) fn of_endings(&self) -> Option<String> {
        let counts = self.endings.iter();
        let counts = counts.map(|(ending, count)| format!("{count} {ending}"));
        let endings = listed(counts, ", ", usize::MAX);
        (!endings.is_empty()).then(|| format!("files left out by their ending: {endings}"))
    }
}

#[derive(Debug, Error)]
pub(crate) enum FindError {
    #[error("no {}s given; name files, folders or quoted patterns such as 'folder/*.{}'", .0.noun, .0.extensions[0])]
    Nothing(Wanted),
    #[error("{path}: there is no such file or folder")]
    Missing { path: PathBuf },
    #[error(
        "{path}: no {} in this folder; looked for files ending in {}{}, hidden ones skipped",
        wanted.noun, wanted.endings(),
        if wanted.recursive { ", in folders below it too" } else { ", not in folders below it" }
    )]
    EmptyFolder { path: PathBuf, wanted: Wanted },
    /// Images were looked for among checkpoints, or the reverse.
    #[error("{path}: no {wanted} in this folder, which holds {}", counted(*count, other))]
    Other {
        path: PathBuf,
        wanted: &'static str,
        other: &'static str,
        count: usize,
    },
    #[error(
        "'{pattern}': this pattern matches no {}: {others} other files match it; looked for files ending in {}, \
         hidden ones skipped; a file named directly is read whatever its ending",
        wanted.noun, wanted.endings()
    )]
    NoMatch {
        pattern: String,
        wanted: Wanted,
        others: usize,
    },
    #[error("'{pattern}': no such file, and not a valid pattern; write '[[]' for a plain '['")]
    Pattern {
        pattern: String,
        #[source]
        source: glob::PatternError,
    },
    #[error("{path}: a link to {target}, which leads nowhere")]
    Link {
        path: PathBuf,
        target: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path}: cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The files that the arguments name, in their order, each once.
///
/// A folder gives its wanted files in natural order; a pattern gives its wanted matches in natural
/// order, and folders among them are searched like named ones; a file named directly is taken
/// whatever its ending. An argument that exists is a path even where it could be read as a pattern.
pub(crate) fn find<P: AsRef<Path>>(
    args: &[P],
    wanted: &Wanted,
    left_out: &mut LeftOut,
) -> Result<Vec<PathBuf>, FindError> {
    if args.is_empty() {
        return Err(FindError::Nothing(*wanted));
    }
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for arg in args {
        for file in find_arg(arg.as_ref(), wanted, left_out)? {
            if seen.insert(identity(&file)?) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// The name in the folder's canonical path. Two links to one file stay two files; `a.png`, `./a.png` and
/// `sub/../a.png` are one.
pub(crate) fn identity(file: &Path) -> Result<PathBuf, FindError> {
    let folder = parent(file);
    let canonical = folder
        .canonicalize()
        .map_err(|source| unreadable(folder, source))?;
    Ok(canonical.join(file.file_name().unwrap_or_default()))
}

pub(super) fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn find_arg(
    arg: &Path,
    wanted: &Wanted,
    left_out: &mut LeftOut,
) -> Result<Vec<PathBuf>, FindError> {
    let path = arg.to_path_buf();
    let source = match arg.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            let files = walk(arg, wanted, left_out)?;
            return if files.is_empty() {
                Err(empty(path, wanted))
            } else {
                Ok(files)
            };
        }
        Ok(_) => return Ok(vec![path]),
        Err(source) => source,
    };
    match (arg.read_link(), arg.to_str()) {
        (Ok(target), _) => Err(FindError::Link {
            path,
            target,
            source,
        }),
        _ if !is_absent(&source) => Err(unreadable(arg, source)),
        (_, Some(pattern)) if pattern.contains(['*', '?', '[']) => {
            find_pattern(pattern, wanted, left_out)
        }
        _ => Err(FindError::Missing { path }),
    }
}

/// Why a folder without a wanted file is of no use, which may hold what another argument wants.
pub(super) fn empty(path: PathBuf, wanted: &Wanted) -> FindError {
    let mut others = [IMAGES, CHECKPOINTS].into_iter();
    let other = others.find(|other| other.noun != wanted.noun);
    let other = other.unwrap_or(*wanted);
    match walk(&path, &other, &mut LeftOut::default()) {
        Ok(files) if !files.is_empty() => FindError::Other {
            path,
            wanted: wanted.noun,
            other: other.noun,
            count: files.len(),
        },
        _ => FindError::EmptyFolder {
            path,
            wanted: *wanted,
        },
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

pub(crate) fn unreadable(path: &Path, source: io::Error) -> FindError {
    FindError::Unreadable {
        path: path.to_path_buf(),
        source,
    }
}

/// The wanted files in a folder, in natural order; none is no error. The others are added to `left_out`.
///
/// Links to nothing, to themselves and to folders above them are left out.
pub(crate) fn walk(
    folder: &Path,
    wanted: &Wanted,
    left_out: &mut LeftOut,
) -> Result<Vec<PathBuf>, FindError> {
    let depth = if wanted.recursive { usize::MAX } else { 1 };
    let mut entries = WalkDir::new(folder)
        .follow_links(true)
        .max_depth(depth)
        .into_iter();
    let mut files = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_path_buf();
                if is_hidden(&path) && path != folder {
                    continue;
                }
                if let Some(above) = error.loop_ancestor() {
                    if wanted.recursive {
                        left_out.add_loop(&path, above);
                    }
                } else if !left_out.is_dangling(&path) && (path.is_dir() || wanted.accepts(&path)) {
                    return Err(unreadable(&path, error.into()));
                }
                continue;
            }
        };
        let path = entry.path();
        let kind = entry.file_type();
        if entry.depth() > 0 && kind.is_dir() {
            if is_hidden(path) || wanted.recursive && left_out.is_loop(path) {
                entries.skip_current_dir();
            }
        } else if kind.is_file() && !is_hidden(path) {
            if wanted.accepts(path) {
                files.push(entry.into_path());
            } else {
                *left_out.endings.entry(ending(path)).or_default() += 1;
            }
        }
    }
    files.sort_by_cached_key(|path| NaturalKey::new(path));
    Ok(files)
}

/// `.heic`
fn ending(path: &Path) -> String {
    path.extension().map_or_else(
        || "without an ending".to_owned(),
        |ending| format!(".{}", ending.to_string_lossy().to_lowercase()),
    )
}

/// Whether the name begins with a dot, or is one that systems and programs give to folders next to people's own.
pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match &*name {
        "__MACOSX" | "__pycache__" | "@eaDir" | "$RECYCLE.BIN" | "lost+found" => true,
        name => name.starts_with('.') || name == "System Volume Information",
    }
}

fn find_pattern(
    pattern: &str,
    wanted: &Wanted,
    left_out: &mut LeftOut,
) -> Result<Vec<PathBuf>, FindError> {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let matches = glob::glob_with(pattern, options).map_err(|source| FindError::Pattern {
        pattern: pattern.to_owned(),
        source,
    })?;
    let mut files = Vec::new();
    let mut others = 0;
    for path in matches {
        let path = path.map_err(|error| {
            let folder = error.path().to_path_buf();
            unreadable(&folder, error.into())
        })?;
        if path.is_dir() {
            if !left_out.is_loop(&path) {
                files.extend(walk(&path, wanted, left_out)?);
            }
        } else if !wanted.accepts(&path) {
            others += 1;
        } else if !left_out.is_dangling(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(FindError::NoMatch {
            pattern: pattern.to_owned(),
            wanted: *wanted,
            others,
        });
    }
    files.sort_by_cached_key(|path| NaturalKey::new(path));
    Ok(files)
}
