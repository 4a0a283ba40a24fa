//! Checkpoints that another program goes on writing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::error::CheckpointsError;
use super::open::{NextCheckpoint, OPENED, OpenCheckpoint, OpenCheckpoints};
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::remedy::explain;
use crate::commands::terminal::Terminal;
use crate::data::checkpoints::{Checkpoint, CheckpointError, list_checkpoints};
use crate::interrupt::Interrupt;
use crate::one_line::one_line;
use crate::settings::{CheckpointsSettings, FollowChoice};
use crate::state::Stamp;

/// The folders are listed so often: network file systems do not say what happens in them.
const POLL: Duration = Duration::from_millis(500);

/// A file that did not change for so long is at rest.
const REST: Duration = Duration::from_secs(1);

/// A file at rest for so long is not going to be completed.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// Gives the checkpoints that come, in the order of their steps.
pub(super) struct Follow {
    settings: CheckpointsSettings,
    terminal: Arc<Terminal>,
    interrupt: Interrupt,
    /// Files that were seen, as they were then and since when.
    seen: HashMap<PathBuf, Sighting>,
    /// The step of each file that was given.
    given: HashMap<PathBuf, i64>,
    last: i64,
    /// Found in the same look at the folders, and not given yet.
    ready: VecDeque<NextCheckpoint>,
    /// Why there is no sequence at the moment.
    stuck: Option<CheckpointError>,
    said: HashSet<String>,
    since: Instant,
}

/// A file as it was seen, and since when.
#[derive(Clone, Copy)]
struct Sighting {
    stamp: Stamp,
    since: SystemTime,
}

impl Follow {
    pub(super) fn new(settings: &CheckpointsSettings, context: &Context) -> Self {
        Self {
            settings: settings.clone(),
            terminal: Arc::clone(&context.terminal),
            interrupt: context.interrupt.clone(),
            seen: HashMap::new(),
            given: HashMap::new(),
            last: i64::MIN,
            ready: VecDeque::new(),
            stuck: None,
            said: HashSet::new(),
            since: Instant::now(),
        }
    }

    /// Gives no file of a step up to this one.
    pub(super) fn begin_after(&mut self, step: i64) {
        self.last = self.last.max(step);
        self.since = Instant::now();
    }

    /// Waits until there are checkpoints, and gives those that are complete, up to the first that may still grow. Those
    /// that cannot be read go to `skipped`.
    pub(super) fn wait_for_first(
        &mut self,
        checkpoints: &mut OpenCheckpoints,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<Checkpoint>, RunError> {
        loop {
            let mut first = Vec::new();
            while let Some(NextCheckpoint { file, opened }) = self.look() {
                match opened.transpose() {
                    Ok(open) => {
                        if let Some(open) = open {
                            checkpoints.keep(open);
                        }
                        first.push(file);
                    }
                    Err(error) => {
                        let why = explain(&*error);
                        self.say(&format!("left out: {why}"));
                        skipped.push(why);
                    }
                }
            }
            if !first.is_empty() {
                return Ok(first);
            }
            if self.is_over() {
                return Err(CheckpointsError::NoneCame.into());
            }
            let why = self.stuck.as_ref().map(|error| explain(error));
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            self.say(&format!("waiting for the first complete checkpoint{why}"));
            thread::sleep(POLL);
        }
    }

    /// The next checkpoint that is there. The folders are listed once for all that are.
    fn look(&mut self) -> Option<NextCheckpoint> {
        if self.ready.is_empty() {
            self.list();
        }
        let found = self.ready.pop_front()?;
        self.since = Instant::now();
        Some(found)
    }

    /// Finds the checkpoints that are there, up to the first that may still grow.
    fn list(&mut self) {
        // A folder may be empty, or its names ambiguous, until more of them are there.
        let listed = list_checkpoints(&self.settings.checkpoints, &self.settings.selection());
        let sequence = match listed {
            Ok(sequence) => sequence,
            Err(error) => {
                if !self.given.is_empty() {
                    self.say(&explain(&error));
                }
                self.stuck = Some(error);
                return;
            }
        };
        self.stuck = None;
        for note in &sequence.notes {
            self.say(note);
        }
        for file in sequence.checkpoints {
            let was = self.given.get(&file.path).copied();
            if was == Some(file.step) {
                continue;
            }
            let opened = if let Some(was) = was {
                let (path, now) = (file.path.clone(), file.step);
                Err(CheckpointsError::OtherStep { path, was, now }.into())
            } else if file.step <= self.last {
                self.say(&format!(
                    "left out: {} came after a later step was shown; to show it too, name another --run",
                    file.name
                ));
                continue;
            } else {
                match self.open(&file) {
                    Some(opened) => opened,
                    None => return,
                }
            };
            self.last = self.last.max(file.step);
            self.given.insert(file.path.clone(), file.step);
            // The others are opened again: so many files are not kept open.
            let is_kept = opened.is_err() || self.ready.len() < OPENED;
            let opened = is_kept.then_some(opened);
            self.ready.push_back(NextCheckpoint { file, opened });
        }
    }

    /// Opens a file; `None` while it may still be written to.
    fn open(&mut self, file: &Checkpoint) -> Option<Result<OpenCheckpoint, RunError>> {
        let stamp = Stamp::of(&file.path).ok()?;
        // The clock of another machine may be ahead; what was seen here counts as well.
        let modified = SystemTime::UNIX_EPOCH + Duration::from_nanos(stamp.modified);
        let before = self.seen.get(&file.path).filter(|seen| seen.stamp == stamp);
        let since = before.map_or_else(SystemTime::now, |seen| seen.since);
        let seen = Sighting { stamp, since };
        self.seen.insert(file.path.clone(), seen);
        let rest = since.min(modified).elapsed().unwrap_or_default();
        if rest < REST {
            return None;
        }
        match OpenCheckpoint::open(file, &self.settings.run.network) {
            Ok(open) => Some(Ok(open)),
            Err(error) if rest >= GIVEN_UP => Some(Err(CheckpointsError::Incomplete {
                path: file.path.clone(),
                why: one_line(&*error),
            }
            .into())),
            Err(_) => None,
        }
    }

    /// Whether to end: on request, or because nothing came for long enough.
    fn is_over(&self) -> bool {
        let idle = match self.settings.follow {
            FollowChoice::Idle(idle) => Duration::try_from(idle).ok(),
            FollowChoice::On | FollowChoice::Off => None,
        };
        self.interrupt.is_requested() || idle.is_some_and(|idle| self.since.elapsed() >= idle)
    }

    /// Stands for whatever could not be put into a sequence.
    fn nameless(&self) -> Checkpoint {
        Checkpoint {
            path: PathBuf::new(),
            name: String::new(),
            step: self.last,
        }
    }

    fn say(&mut self, note: &str) {
        if self.said.insert(note.to_owned()) {
            self.terminal.note(note);
        }
    }
}

impl Iterator for Follow {
    type Item = NextCheckpoint;

    fn next(&mut self) -> Option<NextCheckpoint> {
        loop {
            if self.interrupt.is_requested() {
                return None;
            }
            if let Some(found) = self.look() {
                return Some(found);
            }
            if self.is_over() {
                let error = self.stuck.take()?;
                return Some(NextCheckpoint {
                    file: self.nameless(),
                    opened: Some(Err(error.into())),
                });
            }
            thread::sleep(POLL);
        }
    }
}
