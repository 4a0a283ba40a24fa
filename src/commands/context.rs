//! What a command has besides its settings.

use std::sync::Arc;

use crate::commands::terminal::Terminal;
use crate::interrupt::Interrupt;

/// What a command has besides its settings.
pub(crate) struct Context {
    pub(crate) terminal: Arc<Terminal>,
    pub(crate) interrupt: Interrupt,
}

impl Context {
    /// The same without a word on the terminal.
    pub(crate) fn quiet(&self) -> Self {
        Self {
            terminal: Arc::new(Terminal::new(true)),
            interrupt: self.interrupt.clone(),
        }
    }
}
