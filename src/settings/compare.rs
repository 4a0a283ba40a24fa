//! `vggscope compare`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::{SettingsError, require};
use super::paths::make_absolute;
use super::shared::FolderSettings;
use super::summary::SummarySettings;
use super::text::toml_text;

/// Settings of `vggscope compare`.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CompareSettings {
    /// Folders of runs of `vggscope checkpoints` with the same --compare-images: the first is compared with each of
    /// the others
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) folder: FolderSettings,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) summary: SummarySettings,
}

impl CompareSettings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.summary.check(|name| match name {
            "cka" | "procrustes" | "neighbors" => None,
            _ => Some("runs are compared by cka, procrustes, and neighbors"),
        })?;
        let how = "name two or more folders, as in `vggscope compare runs/a runs/b`";
        require(self.runs.len() > 1, "runs to compare", how)?;
        self.folder.check()
    }

    pub(crate) fn resolved(&self) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        make_absolute(&mut resolved.runs);
        resolved.folder.resolve();
        toml_text("compare", &resolved)
    }
}
