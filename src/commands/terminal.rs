//! What a person sees while a run continues: a bar on a terminal, lines elsewhere, nothing if quiet.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::one_line::printable;
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Without a terminal, a line at most this often.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// The same in a run whose end is unknown.
const BETWEEN_OPEN: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Terminal {
    is_quiet: bool,
    has_bar: bool,
    /// Counts; drawn where stderr is a terminal.
    bar: ProgressBar,
    count: Mutex<Count>,
}

#[derive(Debug)]
struct Count {
    unit: Unit,
    last: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Steps,
    /// Steps of a run, nobody knows how many.
    OpenSteps,
    Bytes,
}

impl Unit {
    fn style(self) -> &'static str {
        match self {
            Self::Steps => "{bar:32} {pos}/{len} steps  {per_sec}  {eta} left  {wide_msg}",
            Self::OpenSteps => "{spinner} step {pos}  {wide_msg}",
            Self::Bytes => {
                "{bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {wide_msg}"
            }
        }
    }
}

impl Terminal {
    #[must_use]
    pub(crate) fn new(is_quiet: bool) -> Self {
        Self {
            is_quiet,
            has_bar: !is_quiet && std::io::stderr().is_terminal(),
            bar: ProgressBar::hidden(),
            count: Mutex::new(Count {
                unit: Unit::Steps,
                last: None,
            }),
        }
    }

    /// Says something once, above the progress.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_quiet {
            self.bar.suspend(|| eprintln_unless_closed(text));
        }
    }

    pub(crate) fn notes(&self, lines: &[String]) {
        for line in lines {
            // A name in it may have several lines.
            self.note(&line.replace('\n', "\\n"));
        }
    }

    /// Begins to count to `total`, of which `done` were there before.
    pub(crate) fn begin(&self, done: u64, total: u64, unit: Unit) {
        self.bar.reset();
        self.bar.set_length(total);
        // The elapsed time begins here, and with it the rate.
        self.bar.set_position(done);
        self.bar.reset_eta();
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = Count { unit, last: None };
        if self.has_bar {
            if let Ok(style) = ProgressStyle::with_template(unit.style()) {
                self.bar.set_style(style);
            }
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(Duration::from_millis(250));
        }
    }

    /// Says how far it has come and what that last was.
    pub(crate) fn reached(&self, done: u64, what: &str) {
        self.bar.set_position(done);
        self.bar.set_message(printable(what));
        if self.has_bar || self.is_quiet {
            return;
        }
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = count.unit == Unit::OpenSteps;
        let is_last = !is_open && self.bar.length().is_none_or(|total| done >= total);
        let between = if is_open { BETWEEN_OPEN } else { BETWEEN_LINES };
        let is_due = |last: Instant| last.elapsed() >= between;
        if is_last || count.last.is_none_or(is_due) {
            count.last = Some(Instant::now());
            eprintln_unless_closed(&self.line(count.unit, done, what));
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, unit: Unit, done: u64, what: &str) -> String {
        let total = self.bar.length().unwrap_or_default();
        let left = HumanDuration(self.bar.eta());
        match unit {
            Unit::Steps => {
                let rate = self.bar.per_sec();
                format!("step {done}/{total}  {rate:.2}/s  {left} left  {what}")
            }
            Unit::OpenSteps => format!("step {done}  {what}"),
            Unit::Bytes => {
                let (done, total) = (HumanBytes(done), HumanBytes(total));
                format!("{done}/{total}  {left} left  {what}")
            }
        }
    }
}

/// A closed pipe is no reason to fail: whoever closed it does not want to read on.
fn eprintln_unless_closed(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}
