//! What happens at a file that cannot be read.

/// What happens at a file that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnError {
    /// End the run with an error that names the file
    #[default]
    Stop,
    /// Go on without the file and report it
    Skip,
}
