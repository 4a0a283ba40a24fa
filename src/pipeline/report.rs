//! What a run came to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pictures::Done;
use super::timings::Laps;
use crate::terminal::{Terminal, Unit};

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The run's folder.
    pub run_folder: PathBuf,
    /// The folder for tensorboard.
    pub logdir: PathBuf,
    /// Steps in the event file.
    pub steps: u64,
    /// Tags in the event file.
    pub tags: usize,
    /// Size of the event file, in bytes.
    pub bytes: u64,
    /// What was left out under `--on-error skip`, each with its reason.
    pub skipped: Vec<String>,
    /// Where feature maps held NaN or infinite values, a line each.
    pub non_finite: Vec<String>,
    /// Where the time went, if it was asked for.
    pub timings: Option<String>,
    /// What else there is to say at the end, a line each.
    pub notes: Vec<String>,
    /// Whether it was ended by Ctrl-C.
    pub interrupted: bool,
}

/// What a command's own part of the run came to.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// What was left out, each with its reason.
    pub(super) skipped: Vec<String>,
    /// What else there is to say, a line each.
    pub(super) notes: Vec<String>,
}

impl Ended {
    /// Nothing to say but what was left out.
    pub(super) fn skipped(skipped: Vec<String>) -> Self {
        Self {
            skipped,
            notes: Vec::new(),
        }
    }
}

/// TensorBoard shows at most this many steps of a tag unless told otherwise.
const SHOWN_BY_DEFAULT: u64 = 10;

impl Report {
    /// The command that shows every step of the run.
    #[must_use]
    pub fn tensorboard_command(&self) -> String {
        format!(
            "tensorboard --logdir {} --samples_per_plugin images={}",
            shell_word(&self.logdir),
            self.steps.max(SHOWN_BY_DEFAULT)
        )
    }

    /// The lines printed at the end.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{}: {}, {}, {}",
            self.run_folder.display(),
            counted(self.steps, "step"),
            counted(self.tags as u64, "tag"),
            indicatif::HumanBytes(self.bytes)
        )];
        lines.extend(self.timings.clone());
        lines.extend(self.notes.clone());
        lines.extend(
            self.non_finite
                .iter()
                .map(|line| format!("not finite: {line}")),
        );
        lines.push(format!("see it with:  {}", self.tensorboard_command()));
        lines
    }
}

fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A path as it must be typed in a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./~+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Keeps count on the writing thread.
pub(super) struct Progress {
    terminal: Arc<Terminal>,
    pub(super) steps: u64,
    pub(super) tags: BTreeSet<String>,
    pub(super) bytes: u64,
    pub(super) laps: Laps,
    pub(super) non_finite: Vec<String>,
}

/// More lines than this about values that are not finite help nobody.
const NON_FINITE_LINES: usize = 5;

impl Progress {
    /// Counts on from the `done` steps that an earlier process wrote.
    pub(super) fn new(terminal: Arc<Terminal>, done: u64, total: u64) -> Self {
        terminal.begin(done, total, Unit::Steps);
        Self {
            terminal,
            steps: done,
            tags: BTreeSet::new(),
            bytes: 0,
            laps: Laps::default(),
            non_finite: Vec::new(),
        }
    }

    /// Looks at a step's pictures before they are written.
    pub(super) fn saw(&mut self, step: i64, pictures: &[Done]) {
        for done in pictures.iter().filter(|done| done.non_finite > 0) {
            match self.non_finite.len() {
                n if n < NON_FINITE_LINES => self.non_finite.push(format!(
                    "{} at step {step}: {}",
                    done.name,
                    counted(done.non_finite as u64, "value")
                )),
                NON_FINITE_LINES => self.non_finite.push("and more after that".to_owned()),
                _ => {}
            }
        }
    }

    /// A step is in the file.
    pub(super) fn wrote(&mut self, tags: Vec<String>, title: &str, laps: &Laps) {
        self.steps += 1;
        self.tags.extend(tags);
        self.laps.add(laps);
        self.terminal.reached(self.steps, title);
    }

    /// The file is closed at this size.
    pub(super) fn closed(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self.terminal.end();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(logdir: &str, steps: u64) -> Report {
        Report {
            run_folder: PathBuf::from("runs/a"),
            logdir: PathBuf::from(logdir),
            steps,
            tags: 33,
            bytes: 0,
            skipped: Vec::new(),
            non_finite: Vec::new(),
            timings: None,
            notes: Vec::new(),
            interrupted: false,
        }
    }

    #[test]
    fn the_command_shows_every_step_and_never_none() {
        let command = |steps| report("runs", steps).tensorboard_command();
        assert_eq!(
            command(64),
            "tensorboard --logdir runs --samples_per_plugin images=64"
        );
        // images=0 would show nothing.
        assert!(command(0).ends_with("images=10"));
    }

    #[test]
    fn a_folder_with_spaces_is_quoted() {
        let command = report("my 'runs'", 1).tensorboard_command();
        assert!(
            command.contains(r"--logdir 'my '\''runs'\''' "),
            "{command}"
        );
    }
}
