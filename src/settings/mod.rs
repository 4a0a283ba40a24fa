//! What the user typed, or wrote into a TOML file: one struct a command, whose fields are at once flags, TOML
//! keys, what the run leaves as `config.toml`, and the values that it uses.

mod checkpoints;
mod choices;
mod compare;
mod diff;
mod error;
mod file;
mod help;
mod images;
mod layers;
mod old_keys;
mod paths;
mod pictures;
mod read_back;
mod shard;
mod shared;
mod summary;
mod text;
mod train;
mod tuning;
mod values;

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use checkpoints::{CheckpointsSettings, MergeSettings, changed_settings, differences};
pub(crate) use choices::{ChangeChoice, CompareBy, FollowChoice, MapsChoice, RangeChoice};
pub(crate) use compare::CompareSettings;
pub(crate) use diff::{DiffOrder, DiffSettings};
pub(crate) use error::{SettingsError, UsageError};
pub(crate) use file::text as settings_text;
pub(crate) use help::{completions, manual_page};
pub(crate) use images::ImagesSettings;
pub(crate) use layers::LayersSettings;
pub(crate) use pictures::{ComparisonSettings, PictureSettings};
pub(crate) use read_back::{ExportFormat, ExportSettings, InspectSettings, ViewSettings};
pub(crate) use shard::{Shard, array_task};
pub(crate) use shared::{ComputeSettings, FolderSettings, IMAGENET, NetworkSettings, RunSettings};
pub(crate) use summary::{Condition, SummarySettings, write_json};
pub(crate) use text::rewritten;
pub(crate) use train::{OptimizerName, RecordSettings, TrainSettings};

use crate::data::find::FindError;
use crate::data::missing::is_missing;
use paths::{absolute, path_parser};
use shared::weights_path;

/// See what every layer of a VGG network responds to, in TensorBoard.
#[derive(Debug, Parser)]
#[command(name = "vggscope", version, max_term_width = 100)]
#[command(args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one network over images: one step an image
    Images(Box<ImagesSettings>),
    /// Run checkpoints over probe images: one step a checkpoint
    Checkpoints(Box<CheckpointsSettings>),
    /// Join the parts of a run that were made with --shard
    Merge(MergeSettings),

    /// Train a network, logging what it sees as it learns
    Train(Box<TrainSettings>),
    /// Compare what the networks of two or more runs see
    Compare(CompareSettings),
    /// List the network's layers: index, name, kind, output shape
    Layers(LayersSettings),
    /// Compare two weights files, layer by layer
    Diff(DiffSettings),
    /// Show what is in event files, by any program
    Inspect(InspectSettings),
    /// Write what event files hold as pictures, animations or tables
    Export(ExportSettings),
    /// Start TensorBoard with room for every step
    View(ViewSettings),
    /// Show which devices this build can use, and why not CUDA
    Doctor,
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of vggscope, or of one of its commands
    Man {
        /// images, checkpoints, merge, train, compare, diff, layers, inspect, export, view or doctor
        #[arg(value_parser = ["images", "checkpoints", "merge", "train", "compare", "diff", "layers", "inspect", "export", "view", "doctor"], hide_possible_values = true)]
        command: Option<String>,
    },
}

/// Reads the command line, and the configuration file if it names one. Returns what there is to say of that, too.
///
/// The file's keys become flags before the typed ones, so both are read by the same rules and typed flags
/// win.
pub(crate) fn parse(typed: &[OsString]) -> Result<(Command, Option<String>), UsageError> {
    let mut note = None;
    let mut matches = match cli().try_get_matches_from(typed) {
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return Err(help::asked_for(typed).unwrap_or(error).into());
        }
        matches => matches.map_err(|error| match paths::dashed(typed, &error) {
            Some(error) => error.into(),
            None => old_keys::renamed(error),
        })?,
    };
    if let Some((name, of_command)) = matches.subcommand()
        && let Ok(Some(path)) = of_command.try_get_one::<PathBuf>("config")
    {
        let mut all = cli();
        all.build();
        let Some(command) = all.find_subcommand(name) else {
            return Err(clap::Error::new(ErrorKind::InvalidSubcommand).into());
        };
        let failed = |problem| SettingsError::new(format!("{}: {problem}", path.display()));
        let lists = typed_lists(command, of_command);
        let kept = kept_settings(path, of_command).map_err(failed)?;
        if kept.is_none() && is_missing(path) {
            let path = path.clone();
            return Err(FindError::Missing { path }.into());
        }
        let (mut flags, noted) = file::read(path, kept, command, &lists).map_err(failed)?;
        flags.extend(moved_run(path, of_command));
        note = noted;
        // The command is always the first word: no flag can stand before it.
        let (head, rest) = typed.split_at(2.min(typed.len()));
        let with_file: Vec<OsString> = [head, &flags].concat();
        // Read alone first, so that a mistake in the file is reported as the file's.
        cli()
            .try_get_matches_from(&with_file)
            .map_err(|error| failed(SettingsError::new(first_line(&error))))?;
        matches = cli().try_get_matches_from([with_file.as_slice(), rest].concat())?;
    }
    let command = Cli::from_arg_matches(&matches)?.command;
    command.check()?;
    Ok((command, note))
}

/// What these words mean behind the program's name, without a note.
fn command<W: AsRef<OsStr>>(words: &[W]) -> Result<Command, UsageError> {
    let words = words.iter().map(|word| word.as_ref().to_owned());
    let words: Vec<OsString> = std::iter::once("vggscope".into()).chain(words).collect();
    parse(&words).map(|(command, _)| command)
}

/// The command line as help describes it.
fn described() -> clap::Command {
    let rules = |mut arg: clap::Arg| {
        if arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() {
            arg = arg.value_parser(path_parser());
        }
        if arg.is_positional() {
            return arg;
        }
        // The texts of flags name them.
        arg.hide_possible_values(true)
    };
    Cli::command()
        .mut_subcommands(|command| help::with_examples(command.mut_args(rules), "Examples:"))
}

/// The command line as it is read: a switch takes `=false` too, so that what is typed wins over a file.
fn cli() -> clap::Command {
    let switch = |arg: clap::Arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_value("false")
            .default_missing_value("true"),
        _ => arg,
    };
    let cli = described().mut_subcommands(|command| command.mut_args(switch));
    let cli = cli.mut_subcommand("train", |train| {
        train.mut_arg("model", |arg| arg.hide(true))
    });
    cli.mut_subcommand("diff", DiffSettings::with_images)
}

/// What clap says, without its usage.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// The settings that the newest checkpoint of a training holds, where it is resumed and its configuration is lost.
fn kept_settings(config: &Path, matches: &ArgMatches) -> Result<Option<String>, SettingsError> {
    // A pipe is read once.
    if !is_resumed(matches) || (config.exists() && !config.is_file()) {
        return Ok(None);
    }
    let text = match file::text(config) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|error| file::unreadable(&error))?,
    };
    // A power failure may leave it empty, or full of NUL.
    if !text.trim_matches(['\0', '\n']).is_empty() {
        return Ok(None);
    }
    let folder = config.parent().unwrap_or(Path::new(""));
    let settings = kept_in(&folder.join(CHECKPOINTS));
    let lost = "the configuration is lost, and no checkpoint next to it holds it: repeat the command that began the run, with --resume";
    settings.map(Some).ok_or_else(|| SettingsError::new(lost))
}

/// The settings that the newest readable checkpoint in `folder` holds, under `config` in its TOML file.
fn kept_in(folder: &Path) -> Option<String> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|file| file.path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    // `step_1000000` comes after `step_999999`.
    files.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    files.iter().rev().find_map(|path| {
        let position: toml::Table = fs::read_to_string(path).ok()?.parse().ok()?;
        Some(position.get("config")?.as_str()?.to_owned())
    })
}

/// The folder in that of a training which holds what can be resumed.
const CHECKPOINTS: &str = "checkpoints";

fn is_resumed(matches: &ArgMatches) -> bool {
    matches!(matches.try_get_one::<bool>("resume"), Ok(Some(true)))
}

/// The flags that resume a run where its configuration lies, though it was moved since that was written.
/// None unless it is resumed, and nothing else was typed.
fn moved_run(config: &Path, matches: &ArgMatches) -> Vec<OsString> {
    let typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let folder = absolute(config.parent().unwrap_or(Path::new("")));
    let place = folder.parent().zip(folder.file_name());
    match place {
        Some((logdir, run))
            if is_resumed(matches)
                && !typed("run")
                && !typed("logdir")
                && folder.join(CHECKPOINTS).is_dir() =>
        {
            let flag = |name: &str, value: &OsStr| {
                let mut flag = OsString::from(name);
                flag.push(value);
                flag
            };
            vec![flag("--logdir=", logdir.as_os_str()), flag("--run=", run)]
        }
        _ => Vec::new(),
    }
}

/// The lists that were typed; each replaces the file's instead of adding to it.
fn typed_lists<'a>(command: &'a clap::Command, matches: &ArgMatches) -> Vec<&'a str> {
    command
        .get_arguments()
        .filter(|arg| arg.is_positional() || matches!(arg.get_action(), ArgAction::Append))
        .map(|arg| arg.get_id().as_str())
        .filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
        .collect()
}

impl Command {
    /// The settings of a run of a network.
    fn run(&self) -> Option<&RunSettings> {
        match self {
            Self::Images(settings) => Some(&settings.run),
            Self::Checkpoints(settings) => Some(&settings.run),
            Self::Train(settings) => Some(&settings.run),
            _ => None,
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Compare(settings) => settings.folder.quiet,
            Self::Merge(settings) => settings.quiet,
            _ => self.run().is_some_and(|run| run.output.folder.quiet),
        }
    }

    /// The files and folders that it reads, patterns among them. The weights of a training that is resumed may be gone.
    fn reads(&self) -> Vec<&Path> {
        let mut read: Vec<&Path> = match self {
            Self::Images(settings) => paths(&settings.images)
                .chain(weights_path(settings.weights.as_deref()))
                .collect(),
            // A training that is followed may not have begun.
            Self::Checkpoints(settings) => paths(&settings.images)
                .chain(paths(&settings.checkpoints).filter(|_| !settings.follows()))
                .chain(settings.comparison.reads())
                .collect(),
            Self::Train(settings) => {
                let weights = weights_path(settings.weights.as_deref());
                std::iter::once(settings.data())
                    .chain(paths(&settings.images))
                    .chain(weights.filter(|_| !settings.resume))
                    .chain(settings.comparison.reads())
                    .collect()
            }
            Self::Merge(settings) => vec![&settings.run],
            Self::Compare(settings) => paths(&settings.runs).collect(),
            Self::Layers(settings) => weights_path(settings.weights.as_deref())
                .into_iter()
                .chain(settings.network.model.as_deref())
                .collect(),
            Self::Diff(settings) => [&*settings.old, &*settings.new]
                .into_iter()
                .chain(paths(&settings.images))
                .collect(),
            Self::Inspect(settings) => paths(&settings.runs).collect(),
            Self::Export(settings) => vec![&settings.run],
            Self::View(settings) => paths(&settings.runs).collect(),
            Self::Doctor | Self::Completions { .. } | Self::Man { .. } => Vec::new(),
        };
        if let Some(run) = self.run() {
            read.extend(run.network.model.as_deref());
            read.extend(run.pictures.reads());
        }
        read
    }

    /// Refuses a path that leads nowhere. Patterns are looked up later.
    pub(crate) fn check_paths(&self) -> Result<(), FindError> {
        let is_pattern = |path: &Path| path.to_string_lossy().contains(['*', '?', '[']);
        let mut paths = self.reads().into_iter();
        let missing = paths.find(|path| is_missing(path) && !is_pattern(path));
        missing.map_or(Ok(()), |path| {
            let path = path.to_owned();
            Err(FindError::Missing { path })
        })
    }

    /// Whether a path that leads nowhere is one of a setting, or of a command that only reads.
    pub(crate) fn is_wrong_use(&self, error: &FindError) -> bool {
        let Some(run) = self.run() else {
            return !matches!(self, Self::Compare(_));
        };
        matches!(error, FindError::Missing { path } if run.pictures.reads().any(|one| one == path))
    }

    fn check(&self) -> Result<(), SettingsError> {
        match self {
            Self::Images(settings) => settings.check(),
            Self::Checkpoints(settings) => settings.check(),
            Self::Merge(settings) => settings.summary.check(|_| None),
            Self::Train(settings) => settings.check(),
            Self::Compare(settings) => settings.check(),
            Self::Diff(settings) => settings.check(),
            Self::Export(settings) => settings.check(),
            _ => Ok(()),
        }
    }
}

fn paths(paths: &[PathBuf]) -> impl Iterator<Item = &Path> {
    paths.iter().map(PathBuf::as_path)
}

#[cfg(test)]
pub(crate) mod tests;
