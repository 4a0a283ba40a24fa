//! What the user typed, or wrote into a TOML file: one struct a command, whose fields are at once flags, TOML
//! keys, what the run leaves as `config.toml`, and the values that it uses.

mod checkpoints;
mod choices;
mod compare;
mod comparison;
mod diff;
mod error;
mod file;
mod images;
mod layers;
mod paths;
mod pictures;
mod read_back;
mod shard;
mod shared;
mod text;
mod train;
mod values;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use checkpoints::{Calibrate, CheckpointsSettings, Late};
pub(crate) use choices::{AgainstChoice, MapsChoice, RangeChoice};
pub(crate) use compare::CompareSettings;
pub(crate) use comparison::{ComparisonSettings, Features};
pub(crate) use diff::{DiffOrder, DiffSettings};
pub(crate) use error::UsageError;
pub(crate) use images::ImagesSettings;
pub(crate) use layers::LayersSettings;
pub(crate) use pictures::PictureSettings;
pub(crate) use read_back::{ExportFormat, ExportSettings, InspectSettings, ViewSettings};
pub(crate) use shard::{Shard, ShardError, array_task};
pub(crate) use shared::{
    ComputeSettings, NetworkSettings, OutputSettings, RunSettings, WeightsChoice,
};
pub(crate) use train::{Length, RecordSettings, TrainSettings};
pub(crate) use values::{Every, Freeze};

use crate::train::CHECKPOINTS;
use error::SettingsError;
use file::FileError;
use paths::absolute;

/// See what every layer of a VGG network responds to, in TensorBoard.
#[derive(Debug, Parser)]
#[command(
    name = "vggscope",
    version,
    max_term_width = 100,
    args_override_self = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one network over images: one step an image
    Images(ImagesSettings),
    /// Run a sequence of checkpoints over the same probe images: one step a checkpoint
    Checkpoints(CheckpointsSettings),
    /// Train a network on a folder of images, logging what it sees in probe images as it learns
    Train(Box<TrainSettings>),
    /// Compare what the networks of two or more runs see, from the Gram matrices in their folders
    Compare(CompareSettings),
    /// List the network's layers: index, name, kind, output shape
    Layers(LayersSettings),
    /// Compare two weights files, layer by layer; exit code 0 if they are equal, 1 if not, 2 on errors
    Diff(DiffSettings),
    /// Show what is in event files, by any program: tags, steps, damage, what TensorBoard shows of it
    Inspect(InspectSettings),
    /// Write the pictures of event files as PNG files, or as an animation over the steps
    Export(ExportSettings),
    /// Start TensorBoard with room for every step
    View(ViewSettings),
    /// Show which devices this build can use, its libtorch, and why CUDA is unavailable
    Doctor,
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of vggscope, or of one of its commands
    Man {
        /// images, checkpoints, train, compare, diff, layers, inspect, export, view or doctor
        #[arg(value_parser = ["images", "checkpoints", "train", "compare", "diff", "layers", "inspect", "export", "view", "doctor"], hide_possible_values = true)]
        command: Option<String>,
    },
}

/// Reads the command line, and the configuration file if it names one.
///
/// The file's keys become flags before the typed ones, so both are read by the same rules and typed flags
/// win.
pub(crate) fn parse(typed: &[OsString]) -> Result<Command, UsageError> {
    let mut matches = cli().try_get_matches_from(typed)?;
    if let Some((name, of_command)) = matches.subcommand()
        && let Ok(Some(path)) = of_command.try_get_one::<PathBuf>("config")
    {
        let mut all = cli();
        all.build();
        let Some(command) = all.find_subcommand(name) else {
            return Ok(Cli::from_arg_matches(&matches)?.command);
        };
        let mut from_file = file::flags(path, command, &typed_lists(command, of_command))?;
        from_file.extend(moved_run(path, of_command));
        // The command is always the first word: no flag can stand before it.
        let (head, rest) = typed.split_at(2.min(typed.len()));
        let with_file: Vec<OsString> = [head, &from_file].concat();
        // Read alone first, so that a mistake in the file is reported as the file's.
        Cli::try_parse_from(&with_file).map_err(|error| FileError::flag(path, &error))?;
        matches = cli().try_get_matches_from([with_file.as_slice(), rest].concat())?;
    }
    let command = Cli::from_arg_matches(&matches)?.command;
    command.check()?;
    Ok(command)
}

fn cli() -> clap::Command {
    Cli::command().mut_subcommand("diff", DiffSettings::command)
}

/// The flags that resume a run where its configuration lies, though it was moved since that was written.
/// None unless it is resumed, and nothing else was typed.
fn moved_run(config: &Path, matches: &ArgMatches) -> Vec<OsString> {
    let typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let resume = matches!(matches.try_get_one::<bool>("resume"), Ok(Some(true)));
    let folder = absolute(config.parent().unwrap_or(Path::new("")));
    let place = folder.parent().zip(folder.file_name());
    match place {
        Some((logdir, run))
            if resume && !typed("run") && !typed("logdir") && folder.join(CHECKPOINTS).is_dir() =>
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

/// The completions for a shell, as it reads them.
pub(crate) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    let mut cli = cli();
    clap_complete::generate(shell, &mut cli, "vggscope", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page of the program, or of one of its commands, in troff.
pub(crate) fn manual_page(name: Option<&str>) -> std::io::Result<String> {
    let mut cli = cli();
    cli.build();
    let command = name.and_then(|name| cli.find_subcommand(name));
    let page = clap_mangen::Man::new(command.unwrap_or(&cli).clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Command {
    fn check(&self) -> Result<(), SettingsError> {
        match self {
            Self::Images(settings) => settings.check(),
            Self::Checkpoints(settings) => settings.check(),
            Self::Train(settings) => settings.check(),
            Self::Compare(settings) => settings.check(),
            Self::Diff(settings) => settings.check(),
            Self::Layers(_)
            | Self::Inspect(_)
            | Self::Export(_)
            | Self::View(_)
            | Self::Doctor
            | Self::Completions { .. }
            | Self::Man { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
