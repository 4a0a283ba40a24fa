//! `vggscope compare`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::{SettingsError, require};
use super::paths::{absolute, make_absolute};
use super::shared::{OutputSettings, check_run};
use super::summary::SummarySettings;
use super::text::toml_text;
use crate::data::on_error::OnError;
use crate::tags::Scalars;

/// Settings of `vggscope compare`.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CompareSettings {
    /// Folders of runs of `vggscope checkpoints` with the same --compare-images: the first is compared with each of
    /// the others
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// The folder to give to TensorBoard
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) logdir: PathBuf,
    /// The folder in it of the run that is written [default: the time and the command's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<PathBuf>,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) summary: SummarySettings,
    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl CompareSettings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let how = "name two or more folders, as in `vggscope compare runs/a runs/b`";
        require(self.runs.len() > 1, "runs to compare", how)?;
        check_run(self.run.as_deref())
    }

    /// Where the results go.
    pub(crate) fn output(&self) -> OutputSettings {
        OutputSettings {
            logdir: self.logdir.clone(),
            run: self.run.clone(),
            png: None,
            scalars: Scalars::All,
            on_error: OnError::Stop,
            config: None,
            quiet: self.quiet,
            timings: false,
        }
    }

    pub(crate) fn resolved(&self) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        make_absolute(&mut resolved.runs);
        resolved.logdir = absolute(&resolved.logdir);
        toml_text("compare", &resolved)
    }
}
