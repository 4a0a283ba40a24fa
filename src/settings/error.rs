//! A command line or a configuration file that cannot be run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data::find::FindError;
use crate::data::wanted::IMAGES;
use crate::one_line::shell_quoted;

/// A command line that cannot be run.
#[derive(Debug, Error)]
pub(crate) enum UsageError {
    #[error("{0}")]
    Clap(#[from] clap::Error),
    #[error("{path}: {problem}")]
    File { path: PathBuf, problem: FileError },
    #[error("{0}")]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Missing(#[from] FindError),
}

#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("the configuration file cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error(
        "the configuration is lost, and no checkpoint next to it holds it: repeat the command that began the run, with --resume"
    )]
    Lost,
    #[error("this is not valid TOML: line {line}: {message}")]
    Toml { line: usize, message: String },
    #[error(
        "this is for `vggscope {theirs}`, not `vggscope {ours}`: use that command, or take the line \"command\" out"
    )]
    OtherCommand { theirs: String, ours: String },
    #[error("unknown key {key:?} for `vggscope {command}`: did you mean {nearest:?}?")]
    UnknownKey {
        key: String,
        command: String,
        nearest: String,
    },
    #[error("{key} has a value that cannot be used: expected {expected}, found {found}")]
    Value {
        key: String,
        expected: &'static str,
        found: String,
    },
    /// A value that clap refuses.
    #[error("{0}")]
    Flag(String),
}

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
    #[error("{flag} cannot be used here: {why}")]
    Excluded {
        flag: &'static str,
        why: &'static str,
    },
    #[error("--json {path}: cannot write this file in {}", folder(path))]
    Json {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("there is no flag {0}; a file whose name begins with a dash is written ./{0}")]
    Dashed(String),
    #[error("{flag} is gone: {now}")]
    Gone { flag: String, now: String },
    #[error("the configuration cannot be written as TOML")]
    Text(#[source] toml::ser::Error),
}

fn folder(path: &Path) -> std::path::Display<'_> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new(".")).display()
}

/// Refuses a command line without `what`; `how` to give it.
pub(super) fn require(
    is_given: bool,
    what: &'static str,
    how: &'static str,
) -> Result<(), SettingsError> {
    if is_given {
        return Ok(());
    }
    Err(SettingsError::Missing { what, how })
}

/// Refuses `flag` where something rules it out; `why`, and what to do instead.
pub(super) fn exclude(
    is_excluded: bool,
    flag: &'static str,
    why: &'static str,
) -> Result<(), SettingsError> {
    if is_excluded {
        return Err(SettingsError::Excluded { flag, why });
    }
    Ok(())
}

pub(super) fn check_probes(images: &[PathBuf]) -> Result<(), SettingsError> {
    let how = "add --images with files, folders or patterns";
    require(!images.is_empty(), "probe images", how)
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
