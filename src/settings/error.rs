//! A command line or a configuration file that cannot be run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data::list::IMAGES;
use crate::one_line::shell_quoted;

/// A command line that cannot be run.
#[derive(Debug, Error)]
pub(crate) enum UsageError {
    #[error("{0}")]
    Clap(#[from] clap::Error),
    #[error("{0}")]
    File(#[from] FileError),
    #[error("{0}")]
    Settings(#[from] SettingsError),
}

/// A configuration file that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("cannot read the configuration file {path}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is not valid TOML: {message}")]
    Toml { path: PathBuf, message: String },
    #[error(
        "{path} is for `vggscope {theirs}`, not `vggscope {ours}`: use that command, or take the line \"command\" out"
    )]
    OtherCommand {
        path: PathBuf,
        theirs: String,
        ours: String,
    },
    #[error("{path}: unknown key {key:?} for `vggscope {command}`: did you mean {nearest:?}?")]
    UnknownKey {
        path: PathBuf,
        key: String,
        command: String,
        nearest: String,
    },
    #[error("{path}: {key} has a value that cannot be used: expected {expected}, found {found}")]
    Value {
        path: PathBuf,
        key: String,
        expected: &'static str,
        found: String,
    },
    #[error("{path}: {message}")]
    Flag { path: PathBuf, message: String },
}

impl FileError {
    /// A value that clap refuses.
    pub(super) fn flag(path: &Path, error: &clap::Error) -> Self {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        Self::Flag {
            path: path.to_owned(),
            message: line.strip_prefix("error: ").unwrap_or(line).to_owned(),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    #[error(
        "no {what} given: --images takes every path after it, {last} too; put what is not a probe image first: \
         vggscope {command} {last} --images {images}"
    )]
    Swallowed {
        command: &'static str,
        what: &'static str,
        images: String,
        last: String,
    },
    #[error("no {what} given: {how}")]
    Missing {
        what: &'static str,
        how: &'static str,
    },
    #[error(
        "--run {0:?} must be a name inside the log folder, without \"..\" and not absolute; use --logdir for another log folder"
    )]
    RunOutside(PathBuf),
    #[error("--crop off: a batch needs images of one size, so training needs a --crop in pixels")]
    NoCrop,
    #[error("{flag} cannot be used here: {why}")]
    Excluded {
        flag: &'static str,
        /// What rules it out, and how to go on.
        why: &'static str,
    },
    #[error("{flag} is gone: {now}")]
    Gone { flag: String, now: String },
    #[error("the configuration cannot be written as TOML")]
    Text(#[source] toml::ser::Error),
}

/// Refuses a command line without probe images.
pub(super) fn check_probes(images: &[PathBuf]) -> Result<(), SettingsError> {
    match images {
        [] => Err(SettingsError::Missing {
            what: "probe images",
            how: "add --images with files, folders or patterns",
        }),
        _ => Ok(()),
    }
}

/// Refuses a command line without `what`, where `--images` took it with the images.
pub(super) fn swallowed(
    command: &'static str,
    images: &[PathBuf],
    what: &'static str,
) -> Result<(), SettingsError> {
    let is_image = |path: &Path| {
        let name = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        IMAGES.extensions.contains(&&*name.to_ascii_lowercase())
    };
    let Some((first, others)) = images.split_first() else {
        return Ok(());
    };
    let (mut stay, mut taken): (Vec<&PathBuf>, Vec<&PathBuf>) =
        others.iter().partition(|path| is_image(path));
    // Of several folders the first is that of the images.
    stay.insert(0, first);
    if taken.is_empty() {
        return Ok(());
    }
    if what == "data set" {
        taken.drain(..taken.len() - 1);
    }
    let words = |paths: Vec<&PathBuf>| {
        let words = paths.into_iter().map(|path| shell_quoted(path));
        words.collect::<Vec<_>>().join(" ")
    };
    Err(SettingsError::Swallowed {
        command,
        what,
        images: words(stay),
        last: words(taken),
    })
}
