//! What a person sees while a run goes on: a bar on a terminal, lines elsewhere, nothing if quiet.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Without a terminal, a line at most this often.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Progress on stderr.
#[derive(Debug)]
pub(crate) enum Terminal {
    Quiet,
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

#[derive(Debug)]
pub(crate) struct Lines {
    started: Instant,
    last: Option<Instant>,
    /// What was there at the beginning.
    from: u64,
    done: u64,
    total: u64,
    unit: Unit,
}

/// What progress is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Steps of a run.
    Steps,
    /// Steps of a run, nobody knows how many.
    OpenSteps,
    /// Bytes of a download.
    Bytes,
    /// Networks that are compared.
    Networks,
}

impl Unit {
    fn style(self) -> &'static str {
        match self {
            Self::Steps => "{bar:32} {pos}/{len} steps  {per_sec}  {eta} left  {wide_msg}",
            Self::OpenSteps => "{spinner} {pos} steps  {wide_msg}",
            Self::Bytes => {
                "{bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {wide_msg}"
            }
            Self::Networks => "{bar:32} {pos}/{len} networks  {wide_msg}",
        }
    }
}

impl Terminal {
    /// A bar where stderr is a terminal, lines elsewhere, nothing when `quiet`.
    #[must_use]
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            Self::Bar(ProgressBar::hidden())
        } else {
            Self::Lines(Mutex::new(Lines {
                started: Instant::now(),
                last: None,
                from: 0,
                done: 0,
                total: 0,
                unit: Unit::Steps,
            }))
        }
    }

    /// Says something once, above the progress.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.suspend(|| eprintln_unless_closed(text)),
            Self::Lines(_) => eprintln_unless_closed(text),
        }
    }

    /// Begins to count to `total`, of which `done` were there before.
    pub(crate) fn begin(&self, done: u64, total: u64, unit: Unit) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.reset();
                bar.set_length(total);
                // The elapsed time begins here, and with it the rate.
                bar.set_position(done);
                bar.reset_eta();
                if let Ok(style) = ProgressStyle::with_template(unit.style()) {
                    bar.set_style(style);
                }
                bar.set_draw_target(ProgressDrawTarget::stderr());
                bar.enable_steady_tick(Duration::from_millis(250));
            }
            Self::Lines(lines) => {
                if let Ok(mut lines) = lines.lock() {
                    *lines = Lines {
                        started: Instant::now(),
                        last: None,
                        from: done,
                        done,
                        total,
                        unit,
                    };
                }
            }
        }
    }

    /// Says how far it has come and what that last was.
    pub(crate) fn reached(&self, done: u64, what: &str) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(what.to_owned());
            }
            Self::Lines(lines) => {
                if let Ok(mut lines) = lines.lock() {
                    lines.reached(done, what);
                }
            }
        }
    }

    /// Takes the progress away.
    pub(crate) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn reached(&mut self, done: u64, what: &str) {
        self.done = done;
        let now = Instant::now();
        let due = self.last.is_none_or(|last| now - last >= BETWEEN_LINES);
        if due || done >= self.total {
            self.last = Some(now);
            eprintln_unless_closed(&self.line(now, what));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
    fn line(&self, now: Instant, what: &str) -> String {
        let here = self.done.saturating_sub(self.from);
        let rate = here as f64 / (now - self.started).as_secs_f64().max(1e-9);
        let left = Duration::from_secs_f64(
            (self.total.saturating_sub(self.done) as f64 / rate.max(1e-9)).min(1e9),
        );
        let left = indicatif::HumanDuration(left);
        match self.unit {
            Unit::Steps => format!(
                "step {}/{}  {rate:.2}/s  {left} left  {what}",
                self.done, self.total
            ),
            Unit::OpenSteps => format!("{} steps  {what}", self.done),
            Unit::Bytes => format!(
                "{}/{}  {}/s  {left} left  {what}",
                indicatif::HumanBytes(self.done),
                indicatif::HumanBytes(self.total),
                indicatif::HumanBytes(here / (now - self.started).as_secs().max(1)),
            ),
            Unit::Networks => format!("network {}/{}  {what}", self.done, self.total),
        }
    }
}

/// A closed pipe is no reason to fail: whoever closed it does not want to read on.
fn eprintln_unless_closed(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
