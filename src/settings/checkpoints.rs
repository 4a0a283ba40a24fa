//! `vggscope checkpoints`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::error::ErrorKind;
use glob::Pattern;
use serde::Serialize;
use toml::{Table, Value};

use super::choices::{FollowChoice, RangeChoice};
use super::error::{SettingsError, UsageError, check_probes, exclude, require, swallowed};
use super::file::key_of;
use super::paths::{absolute, make_absolute};
use super::pictures::{ComparisonSettings, PictureSettings};
use super::shard::{Shard, ShardChoice};
use super::shared::RunSettings;
use super::summary::SummarySettings;
use super::text::{as_texts, toml_text};
use super::values::parse_count;
use super::{Command, command};
use crate::data::checkpoints::{Selection, StepSource};
use crate::data::on_error::OnError;
use crate::network::ForwardPass;

/// Settings that another process may have otherwise: they say where things are and how fast a run is made, not what it
/// shows. Images are known by their content.
const NOT_SHOWN: [&str; 13] = [
    "command",
    "checkpoints",
    "images",
    "compare-images",
    "follow",
    "device",
    "batch",
    "on-error",
    "quiet",
    "timings",
    "png",
    "logdir",
    "run",
];

/// Settings of `vggscope checkpoints`.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CheckpointsSettings {
    /// Checkpoint files, folders or glob patterns
    #[arg(value_name = "CHECKPOINT")]
    pub(crate) checkpoints: Vec<PathBuf>,
    /// The probe images: files, folders or glob patterns
    #[arg(long, value_name = "IMAGE", num_args = 1.., aliases = ["probes", "probe"])]
    pub(crate) images: Vec<PathBuf>,
    /// A checkpoint's step: name (the number in its file name that varies), index (its place in the natural order of
    /// the names), or a regular expression whose first group captures it in the file's name, or in its path below the
    /// folder given
    #[arg(long, value_name = "STEP", default_value = "name")]
    pub(crate) step: StepSource,
    /// Leave out checkpoints whose name, or path below the folder given, this glob pattern matches; may be
    /// repeated
    #[arg(long, value_name = "GLOB")]
    #[serde(serialize_with = "as_texts")]
    pub(crate) exclude: Vec<Pattern>,
    /// Show every Nth checkpoint (the first included); a run that is resumed counts on from its last step
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub(crate) every: NonZeroUsize,
    /// Wait for further checkpoints: until Ctrl-C, until none came for so long (10m, 90s, 1h30m), or until standard
    /// input ends (stdin); a file is shown once it is complete
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_value = "off",
        default_missing_value = "on",
        hide_default_value = true
    )]
    pub(crate) follow: FollowChoice,
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
    #[serde(skip)]
    pub(crate) summary: SummarySettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunSettings,
}

/// Settings of `vggscope merge`.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct MergeSettings {
    /// The folder of a run that was made in parts: LOGDIR/RUN
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,

    #[command(flatten)]
    pub(crate) summary: SummarySettings,

    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Which settings differ, a text each; a key that one of both lacks has the default value, and so has one of another
/// version that this one does not know.
pub(crate) fn changed_settings(before: &Table, now: &Table, defaults: &Table) -> Vec<String> {
    let command = CheckpointsSettings::augment_args(clap::Command::new("checkpoints"));
    let mut before = before.clone();
    before.retain(|key, _| command.get_arguments().any(|arg| key_of(arg) == *key));
    differences(&before, now, defaults)
}

/// Which values differ, a text each; a key that one of both lacks has the default value.
pub(crate) fn differences(before: &Table, now: &Table, defaults: &Table) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let show = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
    let changed = |key: &String| {
        let [before, now] = [before, now].map(|of| of.get(key).or_else(|| defaults.get(key)));
        (before != now).then(|| format!("{key} {} -> {}", show(before), show(now)))
    };
    keys.into_iter().filter_map(changed).collect()
}

impl CheckpointsSettings {
    /// How maps become grids: unless something else was asked for, with one range at all steps.
    pub(crate) fn pictures(&self) -> PictureSettings {
        let mut pictures = self.run.pictures.clone();
        pictures.range.get_or_insert(RangeChoice::Run);
        pictures
    }

    pub(crate) fn follows(&self) -> bool {
        self.follow != FollowChoice::Off
    }

    /// What becomes of a checkpoint that cannot be read. Whatever follows one is still to be shown.
    pub(crate) fn on_error(&self) -> OnError {
        if self.follows() {
            OnError::Skip
        } else {
            self.run.output.on_error
        }
    }

    pub(crate) fn shard(&self) -> Result<Option<Shard>, SettingsError> {
        let environment = |variable: &str| std::env::var(variable).ok();
        self.shard
            .map(|choice| choice.resolve(environment))
            .transpose()
    }

    /// Which of the files found are shown, and at which steps.
    pub(crate) fn selection(&self) -> Selection<'_> {
        Selection {
            step: self.step.clone(),
            exclude: &self.exclude,
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.summary.check(|name| match name {
            "update_ratio" => Some("`vggscope train` measures it"),
            _ => self.comparison.lacks(name),
        })?;
        if self.checkpoints.is_empty() {
            swallowed("checkpoints", &self.images, "checkpoints")?;
        }
        require(
            !self.checkpoints.is_empty(),
            "checkpoints",
            "name files, a folder or a pattern, as in `vggscope checkpoints ckpts/ --images probes/`",
        )?;
        check_probes(&self.images)?;
        exclude(
            self.follows() && matches!(self.step, StepSource::Index),
            "--step index",
            "with --follow a file that comes between others would change their steps: capture them with --step REGEX",
        )?;
        exclude(
            self.follows() && self.shard.is_some(),
            "--shard",
            "with --follow nobody knows how many checkpoints there are to be split: leave one of the two out",
        )?;
        require(
            self.shard.is_none() || self.run.output.folder.run.is_some(),
            "name of the run",
            "with --shard all parts go to one run: add the same --run to each",
        )?;
        self.comparison.check()?;
        self.run.check()
    }

    pub(crate) fn resolved(&self, pass: &ForwardPass) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        make_absolute(&mut resolved.checkpoints);
        make_absolute(&mut resolved.images);
        resolved.comparison.resolve();
        resolved.run.pictures = self.pictures();
        resolved.run.resolve(pass);
        toml_text("checkpoints", &resolved)
    }

    /// Those of a configuration file, for the run in this folder.
    pub(crate) fn of_run(config: &Path, run: &Path) -> Result<Self, UsageError> {
        let [name, flag] = ["checkpoints", "--config"].map(OsStr::new);
        let Command::Checkpoints(mut settings) = command(&[name, flag, config.as_ref()])? else {
            return Err(clap::Error::new(ErrorKind::InvalidSubcommand).into());
        };
        let (run, output) = (absolute(run), &mut settings.run.output.folder);
        run.parent()
            .unwrap_or(Path::new(""))
            .clone_into(&mut output.logdir);
        output.run = run.file_name().map(PathBuf::from);
        Ok(*settings)
    }

    /// The settings that change what a run shows, as its state notes them.
    pub(crate) fn shown(&self, pass: &ForwardPass) -> Result<Table, toml::ser::Error> {
        let mut all: Table = self.resolved(pass)?.parse().unwrap_or_default();
        for key in NOT_SHOWN {
            all.remove(key);
        }
        // By what is in it: the file may move.
        if let (Some(model), Some(hash)) = (all.get_mut("model"), pass.architecture.hash()) {
            *model = hash.into();
        }
        Ok(all)
    }

    /// The same where nothing is asked for, which stands for what an older version, or a newer one, does not note.
    pub(crate) fn default_shown(pass: &ForwardPass) -> Table {
        match command(&["checkpoints", ".", "--images", "."]) {
            Ok(Command::Checkpoints(settings)) => settings.shown(pass).unwrap_or_default(),
            _ => Table::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_setting() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let before = table("a = 1\nb = \"x\"\nc = true");
        let found = differences(&before, &table("a = 2\nb = \"x\"\nd = 0.5"), &Table::new());
        assert_eq!(found, ["a 1 -> 2", "c true -> not set", "d not set -> 0.5"]);
    }

    /// A newer program resumes an older run, whose keys it may not have, and the reverse.
    #[test]
    fn a_key_that_only_one_version_has_is_its_default() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let defaults = table("maps = 'all'\ncrop = '224'");
        let changed = |before, now| changed_settings(&table(before), &table(now), &defaults);
        assert!(changed("older = 3", "maps = 'all'\ncrop = '224'").is_empty());
        assert!(changed("maps = 'all'", "crop = '224'").is_empty());
        assert_eq!(
            changed("older = 3\nmaps = '64'", "maps = 'all'"),
            [r#"maps "64" -> "all""#]
        );
    }
}
