//! `vggscope checkpoints`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use glob::Pattern;
use jiff::SignedDuration;
use regex::Regex;
use serde::Serialize;

use super::choices::RangeChoice;
use super::comparison::ComparisonSettings;
use super::error::{SettingsError, swallowed};
use super::paths::{make_absolute, path_parser};
use super::shard::{Shard, ShardChoice, ShardError};
use super::shared::RunSettings;
use super::text::{as_optional_text, as_texts, toml_text};
use super::values::{parse_count, parse_duration};
use crate::data::checkpoints::{Selection, StepSource};
use crate::data::on_error::OnError;
use crate::network::ForwardPass;

/// Settings of `vggscope checkpoints`.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(args_override_self = true)]
pub(crate) struct CheckpointsSettings {
    /// Checkpoint files, folders or glob patterns
    #[arg(value_name = "CHECKPOINT", value_parser = path_parser())]
    pub(crate) checkpoints: Vec<PathBuf>,
    /// The probe images: files, folders or glob patterns
    #[arg(long, value_name = "IMAGE", num_args = 1.., value_parser = path_parser())]
    pub(crate) images: Vec<PathBuf>,
    /// Where a checkpoint's step comes from: the number in its file name that varies from file to file, or
    /// its index in the natural order of the names
    #[arg(
        long,
        value_enum,
        value_name = "name|index",
        default_value = "name",
        hide_possible_values = true
    )]
    pub(crate) step_from: StepFrom,
    /// Regular expression whose first group is the step in a checkpoint's file name, or in its path below
    /// the folder given
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    #[serde(
        serialize_with = "as_optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) step_regex: Option<Regex>,
    /// Leave out checkpoints whose name, or path below the folder given, this glob pattern matches; may be
    /// repeated
    #[arg(long, value_name = "GLOB")]
    #[serde(serialize_with = "as_texts")]
    pub(crate) exclude: Vec<Pattern>,
    /// Show every Nth checkpoint, the first included
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub(crate) every: NonZeroUsize,
    /// The checkpoints that the ranges of --range run, and the channels of --maps, are taken from: the first and
    /// the last, or all (which reads every checkpoint twice)
    #[arg(
        long,
        value_enum,
        value_name = "first,last|all",
        default_value = "first,last",
        hide_possible_values = true
    )]
    pub(crate) calibrate: Calibrate,
    /// Where a run goes on (the same command with its --run): leave a file out that came after a later step was
    /// shown, or that is another one now (skip), or write the run again from there (rewrite)
    #[arg(
        long,
        value_enum,
        value_name = "skip|rewrite",
        default_value = "skip",
        hide_possible_values = true
    )]
    pub(crate) late: Late,
    /// Wait for further checkpoints, until Ctrl-C or --idle-exit: a file is shown once it is complete
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) follow: bool,
    /// With --follow: end when no checkpoint came for so long (10m, 90s, 1h30m)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    #[serde(
        serialize_with = "as_optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) idle_exit: Option<SignedDuration>,
    /// Show a part of the checkpoints, as one of several processes that make a run together: part I of N, counted
    /// from 0, or auto (auto/N) in a task of a Slurm array or of an indexed Kubernetes job
    // No part of what the run shows, so not of its configuration either.
    #[arg(long, value_name = "I/N|auto|auto/N")]
    #[serde(skip)]
    pub(crate) shard: Option<ShardChoice>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) comparison: ComparisonSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunSettings,
}

/// Where a checkpoint's step comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepFrom {
    /// The number in the file's name.
    Name,
    /// The place in natural order, from 0.
    Index,
}

/// The checkpoints that are looked at before the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
pub(crate) enum Calibrate {
    /// The first and the last.
    #[value(name = "first,last")]
    #[serde(rename = "first,last")]
    FirstLast,
    /// Every one.
    #[value(name = "all")]
    #[serde(rename = "all")]
    All,
}

/// What becomes of a file that has no place after the steps that were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Late {
    /// It is left out, with a note.
    Skip,
    /// The run is written again from its step on.
    Rewrite,
}

impl CheckpointsSettings {
    /// What black and white stand for: unless something else was asked for, the same at all steps.
    pub(crate) fn range(&self) -> RangeChoice {
        self.run.pictures.range.unwrap_or(RangeChoice::Run)
    }

    /// What becomes of a checkpoint that cannot be read. Whatever follows one is still to be shown.
    pub(crate) fn on_error(&self) -> OnError {
        if self.follow {
            OnError::Skip
        } else {
            self.run.output.on_error
        }
    }

    /// Which part of the checkpoints this process shows, unless it shows all.
    pub(crate) fn shard(&self) -> Result<Option<Shard>, ShardError> {
        let environment = |variable: &str| std::env::var(variable).ok();
        self.shard
            .map(|choice| choice.resolve(environment))
            .transpose()
    }

    /// Which of the files found are shown, and at which steps.
    pub(crate) fn selection(&self) -> Selection<'_> {
        Selection {
            step: match (self.step_from, &self.step_regex) {
                (StepFrom::Index, _) => StepSource::Index,
                (StepFrom::Name, Some(regex)) => StepSource::Captured(regex.clone()),
                (StepFrom::Name, None) => StepSource::Name,
            },
            exclude: &self.exclude,
            every: self.every,
        }
    }

    /// What must hold between settings.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.checkpoints.is_empty() {
            swallowed("checkpoints", &self.images, "checkpoints")?;
            return Err(SettingsError::Missing {
                what: "checkpoints",
                how: "name files, a folder or a pattern, as in `vggscope checkpoints ckpts/ --images probes/`",
            });
        }
        if self.images.is_empty() {
            return Err(SettingsError::Missing {
                what: "probe images",
                how: "add --images with files, folders or patterns",
            });
        }
        if self.step_regex.is_some() && self.step_from == StepFrom::Index {
            return Err(SettingsError::Excluded {
                flag: "--step-regex",
                why: "--step-from index takes the step from the order of the files: leave one of the two out",
            });
        }
        if self.idle_exit.is_some() && !self.follow {
            return Err(SettingsError::Excluded {
                flag: "--idle-exit",
                why: "it says when --follow ends: add --follow",
            });
        }
        if self.follow && self.step_from == StepFrom::Index {
            return Err(SettingsError::Excluded {
                flag: "--step-from",
                why: "with --follow a file that comes between others would change their steps: name them with --step-regex",
            });
        }
        if self.shard.is_some() && self.follow {
            return Err(SettingsError::Excluded {
                flag: "--shard",
                why: "with --follow nobody knows how many checkpoints there are to be split: leave one of the two out",
            });
        }
        if self.shard.is_some() && self.run.output.run.is_none() {
            return Err(SettingsError::Missing {
                what: "name of the run",
                how: "with --shard all parts go to one run: add the same --run to each",
            });
        }
        self.comparison.check()?;
        self.run.check()
    }

    /// All settings as TOML, with what was left open filled in and absolute paths, so that the file runs them
    /// again from anywhere.
    pub(crate) fn resolved(&self, pass: &ForwardPass) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        make_absolute(&mut resolved.checkpoints);
        make_absolute(&mut resolved.images);
        resolved.comparison.resolve();
        resolved.run.pictures.range = Some(self.range());
        resolved.run.resolve(pass);
        toml_text("checkpoints", &resolved)
    }
}

/// A regular expression with one group.
fn parse_regex(text: &str) -> Result<Regex, String> {
    match Regex::new(text) {
        Ok(regex) if regex.captures_len() == 2 => Ok(regex),
        Ok(_) => Err("expected one group that matches the step, as in 'epoch_(\\d+)'".to_owned()),
        Err(error) => Err(error.to_string().replace('\n', " ")),
    }
}
