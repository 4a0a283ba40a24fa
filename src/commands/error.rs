//! What can end a command.

use std::error::Error;
use std::ops::Deref;

use thiserror::Error;

use crate::analysis::compare::CompareError;
use crate::network::{InputError, SelectError};
use crate::settings::ShardError;
use crate::state::StateError;

/// A command that did not come to its end: the error of any room. What was written before stays readable.
///
/// No `Error` itself, so that `?` takes every other one; what to do about it depends on what is inside.
#[derive(Debug)]
pub(crate) struct RunError(Box<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for RunError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Deref for RunError {
    type Target = dyn Error + 'static;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl RunError {
    /// Whether there was nothing to do, because it was done before.
    pub(crate) fn is_done(&self) -> bool {
        self.ends(Ends::NothingToDo)
    }

    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        self.is::<SelectError>()
            || self.is::<InputError>()
            || self.is::<ShardError>()
            || matches!(self.downcast_ref(), Some(StateError::InParts(_)))
            || self.downcast_ref().is_some_and(CompareError::is_wrong_use)
            || self.ends(Ends::WrongUse)
    }

    /// Whether all that was to be shown was skipped.
    pub(crate) fn is_nothing_left(&self) -> bool {
        self.ends(Ends::NothingLeft)
    }

    fn ends(&self, how: Ends) -> bool {
        self.downcast_ref()
            .is_some_and(|error: &CommandError| error.ends == how)
    }
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
enum Ends {
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
