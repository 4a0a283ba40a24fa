//! What can end a command.

use std::error::Error;

use thiserror::Error;

use crate::analysis::compare::CompareError;
use crate::network::{InputError, SelectError};
use crate::settings::SettingsError;
use crate::state::StateError;

/// A command that did not come to its end: the error of any room. What was written before stays readable.
pub(crate) type RunError = Box<dyn Error + Send + Sync>;

/// Whether the command could never have worked as it was typed.
pub(crate) fn is_wrong_use(error: &(dyn Error + 'static)) -> bool {
    error.is::<SelectError>()
        || error.is::<InputError>()
        || error.is::<SettingsError>()
        || matches!(error.downcast_ref(), Some(StateError::InParts(_)))
        || (error.downcast_ref()).is_some_and(CompareError::is_wrong_use)
        || ends(error, Ends::WrongUse)
}

/// Whether it ended so, by what a command itself found out.
pub(crate) fn ends(error: &(dyn Error + 'static), how: Ends) -> bool {
    (error.downcast_ref()).is_some_and(|error: &CommandError| error.ends == how)
}

/// What a command itself finds out, and what to do next. Errors of rooms are types, which others tell apart and add advice
/// to; of these all that matters is how the process ends.
#[derive(Debug, Error)]
#[error("{text}")]
pub(crate) struct CommandError {
    text: String,
    ends: Ends,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Failed,
    /// The command could never have worked as it was typed.
    WrongUse,
    /// It was done before.
    NothingToDo,
    NothingLeft,
}

impl CommandError {
    fn new(text: impl Into<String>, ends: Ends) -> Self {
        Self {
            text: text.into(),
            ends,
            source: None,
        }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::new(text, Ends::Failed)
    }

    pub(crate) fn wrong_use(text: impl Into<String>) -> Self {
        Self::new(text, Ends::WrongUse)
    }

    pub(crate) fn nothing_to_do(text: impl Into<String>) -> Self {
        Self::new(text, Ends::NothingToDo)
    }

    pub(crate) fn nothing_left(count: usize, what: &str, first: &str) -> Self {
        let text =
            format!("nothing is left to show: all {count} {what} were skipped; the first: {first}");
        Self::new(text, Ends::NothingLeft)
    }

    pub(crate) fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }
}
