//! What the user typed, or wrote into a TOML file: one struct a command, whose fields are at once flags, TOML
//! keys, what the run leaves as `config.toml`, and the values that it uses.

mod checkpoints;
mod error;
mod file;
mod images;
mod layers;
mod shared;
mod text;
mod train;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use checkpoints::CheckpointsSettings;
pub(crate) use error::UsageError;
pub(crate) use images::ImagesSettings;
pub(crate) use layers::LayersSettings;
pub(crate) use shared::{NetworkSettings, OutputSettings, RunSettings, WeightsChoice};
pub(crate) use train::{Length, RecordSettings, TrainSettings};
pub(crate) use values::{Every, Freeze};

use error::SettingsError;
use file::FileError;

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
    /// List the network's layers: index, name, kind, output shape
    Layers(LayersSettings),
    /// Show which devices this build can use, its libtorch, and why CUDA is unavailable
    Doctor,
}

/// Reads the command line, and the configuration file if it names one.
///
/// The file's keys become flags before the typed ones, so both are read by the same rules and typed flags
/// win.
pub(crate) fn parse(typed: &[OsString]) -> Result<Command, UsageError> {
    let mut matches = Cli::command().try_get_matches_from(typed)?;
    if let Some((name, of_command)) = matches.subcommand()
        && let Ok(Some(path)) = of_command.try_get_one::<PathBuf>("config")
    {
        let mut all = Cli::command();
        all.build();
        let Some(command) = all.find_subcommand(name) else {
            return Ok(Cli::from_arg_matches(&matches)?.command);
        };
        let from_file = file::flags(path, command, &typed_lists(command, of_command))?;
        // The command is always the first word: no flag can stand before it.
        let (head, rest) = typed.split_at(2.min(typed.len()));
        let with_file: Vec<OsString> = [head, &from_file].concat();
        // Read alone first, so that a mistake in the file is reported as the file's.
        Cli::try_parse_from(&with_file).map_err(|error| FileError::flag(path, &error))?;
        matches = Cli::command().try_get_matches_from([with_file.as_slice(), rest].concat())?;
    }
    let command = Cli::from_arg_matches(&matches)?.command;
    command.check()?;
    Ok(command)
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
    fn check(&self) -> Result<(), SettingsError> {
        match self {
            Self::Images(settings) => settings.check(),
            Self::Checkpoints(settings) => settings.check(),
            Self::Train(settings) => settings.check(),
            Self::Layers(_) | Self::Doctor => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
