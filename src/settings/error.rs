//! A command line or a configuration file that cannot be run.

use std::error::Error;
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
    #[error("{0}")]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Missing(#[from] FindError),
}

/// Settings that cannot be used, in words for who typed them.
#[derive(Debug, Error)]
#[error("{text}")]
pub(crate) struct SettingsError {
    text: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SettingsError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            source: None,
        }
    }

    pub(super) fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Box::new(source)),
            ..self
        }
    }
}

/// Refuses a command line without `what`; `how` to give it.
pub(super) fn require(is_given: bool, what: &str, how: &str) -> Result<(), SettingsError> {
    if is_given {
        return Ok(());
    }
    Err(SettingsError::new(format!("no {what} given: {how}")))
}

/// Refuses `flag` where something rules it out; `why`, and what to do instead.
pub(super) fn exclude(is_excluded: bool, flag: &str, why: &str) -> Result<(), SettingsError> {
    if is_excluded {
        let text = format!("{flag} cannot be used here: {why}");
        return Err(SettingsError::new(text));
    }
    Ok(())
}

pub(super) fn check_probes(images: &[PathBuf]) -> Result<(), SettingsError> {
    let how = "add --images with files, folders or patterns";
    require(!images.is_empty(), "probe images", how)
}

/// Refuses a command line without `what`, where `--images` took it with the images.
pub(super) fn swallowed(
    command: &str,
    images: &[PathBuf],
    what: &str,
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
    let (images, last) = (words(stay), words(taken));
    Err(SettingsError::new(format!(
        "no {what} given: --images takes every path after it, {last} too; put what is not a probe image first: \
         vggscope {command} {last} --images {images}"
    )))
}
