//! Checkpoints that another program goes on writing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::every::EveryNth;
use super::open::{NextCheckpoint, OPENED, OpenCheckpoint};
use crate::commands::context::Context;
use crate::commands::error::{CommandError, RunError};
use crate::commands::remedy::explain;
use crate::commands::terminal::Terminal;
use crate::data::checkpoints::{Checkpoint, CheckpointError, Sequence, list_checkpoints};
use crate::interrupt::Interrupt;
use crate::network::Model;
use crate::one_line::one_line;
use crate::settings::{CheckpointsSettings, FollowChoice};
use crate::state::Stamp;

/// The folders are listed so often: network file systems do not say what happens in them.
const POLL: Duration = Duration::from_millis(500);

/// A file that did not change for so long is at rest.
const REST: Duration = Duration::from_secs(1);

/// A file at rest for so long is not going to be completed.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// Of this, so much is waited here: the clock that gave the file its time may be wrong.
const WAITED: Duration = Duration::from_secs(3);

/// Gives the checkpoints that come, in the order of their steps.
pub(super) struct Follow {
    settings: CheckpointsSettings,
    model: Model,
    folders: Vec<PathBuf>,
    /// Counted here: in the list, a file that comes late or goes would shift all that follow.
    nth: EveryNth,
    terminal: Arc<Terminal>,
    interrupt: Interrupt,
    /// Files that were seen, as they were then and since when.
    seen: HashMap<PathBuf, Sighting>,
    /// The step of each file that was given or passed over.
    given: HashMap<PathBuf, i64>,
    last: i64,
    /// The last step that an earlier process showed.
    shown: Option<i64>,
    /// Found in the same look at the folders, and not given yet.
    ready: VecDeque<NextCheckpoint>,
    /// For how long the next file is at rest, where it is there and may still be written to.
    grows: Option<Duration>,
    /// Why there is no sequence at the moment.
    stuck: Option<CheckpointError>,
    /// Whether standard input ended, where that is what ends the run.
    input_ended: Arc<AtomicBool>,
    /// The same, before the folders were last listed: what is there since then is not shown yet.
    is_last_look: bool,
    ended: bool,
    said: HashSet<String>,
    since: Instant,
}

struct Sighting {
    /// `None` where it cannot be told.
    stamp: Option<Stamp>,
    since: Instant,
}

impl Follow {
    pub(super) fn new(
        settings: &CheckpointsSettings,
        model: &Model,
        nth: EveryNth,
        shown: Option<i64>,
        context: &Context,
    ) -> Self {
        let arguments = settings.checkpoints.iter();
        Self {
            folders: arguments.filter(|path| path.is_dir()).cloned().collect(),
            settings: settings.clone(),
            model: model.clone(),
            nth,
            terminal: Arc::clone(&context.terminal),
            interrupt: context.interrupt.clone(),
            seen: HashMap::new(),
            given: HashMap::new(),
            last: i64::MIN,
            shown,
            ready: VecDeque::new(),
            grows: None,
            stuck: None,
            input_ended: input_end(settings.follow),
            is_last_look: false,
            ended: false,
            said: HashSet::new(),
            since: Instant::now(),
        }
    }

    pub(super) fn begin_after(&mut self, step: i64) {
        self.last = self.last.max(step);
        self.since = Instant::now();
    }

    /// Waits until there are checkpoints, and gives those that are complete, up to the first that may still grow. Those
    /// that cannot be read go to `skipped`.
    pub(super) fn wait_for_first(
        &mut self,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<Checkpoint>, RunError> {
        let mut first = Vec::new();
        loop {
            while let Some(NextCheckpoint { file, opened }) = self.look() {
                match opened.transpose() {
                    Ok(_) => first.push(file),
                    Err(error) => {
                        let why = explain(&*error);
                        self.say(&format!("left out: {why}"));
                        skipped.push(why);
                    }
                }
            }
            // Soon it is clear whether what is behind this one comes now too.
            let is_old =
                |rest| rest >= GIVEN_UP.saturating_sub(WAITED) && !self.interrupt.is_requested();
            if !first.is_empty() && !self.grows.is_some_and(is_old) {
                return Ok(first);
            }
            if self.is_over() {
                return Err(match skipped.first() {
                    Some(first) => CommandError::nothing_left(skipped.len(), "checkpoints", first),
                    None => CommandError::failed(
                        "no complete checkpoint came; name the folder that they are written to, or give it more time with --follow=TIME",
                    ),
                }
                .into());
            }
            let why = self.stuck.as_ref().map(|error| explain(error));
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            if first.is_empty() {
                self.say(&format!("waiting for the first complete checkpoint{why}"));
            }
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
        self.is_last_look = self.input_ended.load(Ordering::SeqCst);
        self.grows = None;
        // A folder may be empty, or its names ambiguous, until more of them are there.
        let sequence = match self.sequence() {
            Ok(sequence) => sequence,
            Err(error) => {
                if !self.given.is_empty() {
                    self.say(&format!("waiting: {}", explain(&error)));
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
            let opened = match self.given.get(&file.path).copied() {
                Some(was) if was == file.step => {
                    self.note_change(&file);
                    continue;
                }
                Some(was) => {
                    let (path, now) = (file.path.display(), file.step);
                    Some(Err(CommandError::failed(format!(
                        "{path} is step {now} now, and was step {was}: the names that came changed which number is the step; capture it with --step REGEX"
                    ))
                    .into()))
                }
                None if file.step <= self.last => {
                    self.say(&format!(
                        "left out: {} came after a later step; to show it too, name another --run",
                        file.name
                    ));
                    continue;
                }
                None => {
                    let rest = self.rest(&file.path);
                    // Compared with what it was when it was shown, whether or not it is written to again.
                    let is_shown = Some(file.step) <= self.shown && self.nth.knows(file.step);
                    if self.nth.passes(file.step) && rest >= REST {
                        // Nor is it noted when it changes.
                        self.seen.remove(&file.path);
                        self.since = Instant::now();
                        self.give(&file);
                        continue;
                    }
                    let opened = self.open(&file, rest);
                    if opened.is_none() && !is_shown {
                        self.grows = Some(rest);
                        return;
                    }
                    opened
                }
            };
            self.give(&file);
            // The others are opened again: so many files are not kept open.
            let is_kept = |opened: &Result<_, _>| opened.is_err() || self.ready.len() < OPENED;
            let opened = opened.filter(is_kept);
            self.ready.push_back(NextCheckpoint { file, opened });
        }
    }

    fn sequence(&self) -> Result<Sequence, CheckpointError> {
        match self.folders.iter().find(|path| path.is_file()) {
            Some(path) => Err(CheckpointError::NoFolder(path.clone())),
            None => list_checkpoints(&self.settings.checkpoints, &self.settings.selection()),
        }
    }

    /// Notes that a file is given, or passed over.
    fn give(&mut self, file: &Checkpoint) {
        self.last = self.last.max(file.step);
        if self.given.insert(file.path.clone(), file.step).is_none() {
            self.nth.advance(file.step);
        }
    }

    /// Says that a file which was given is another one now.
    fn note_change(&mut self, file: &Checkpoint) {
        let seen = self.seen.get(&file.path);
        if seen.is_some_and(|seen| Stamp::of(&file.path).is_ok_and(|now| Some(now) != seen.stamp)) {
            self.say(&format!(
                "left out: {} changed after it came; to show it as it is now, name another --run",
                file.name
            ));
        }
    }

    /// For how long a file has been as it is now. Its own time counts at first sight only, and not for all of
    /// [`GIVEN_UP`]: the clock of another machine may be wrong.
    fn rest(&mut self, path: &Path) -> Duration {
        let (stamp, now) = (Stamp::of(path).ok(), Instant::now());
        let modified = |stamp: Stamp| UNIX_EPOCH + Duration::from_nanos(stamp.modified);
        let age = stamp.and_then(|stamp| modified(stamp).elapsed().ok());
        let age = age.unwrap_or_default().min(GIVEN_UP.saturating_sub(WAITED));
        let since = now.checked_sub(age).unwrap_or(now);
        let first = Sighting { stamp, since };
        let seen = self.seen.entry(path.to_owned()).or_insert(first);
        if seen.stamp != stamp {
            *seen = Sighting { stamp, since: now };
        }
        now - seen.since
    }

    /// Opens a file; `None` while it may still be written to.
    fn open(&self, file: &Checkpoint, rest: Duration) -> Option<Result<OpenCheckpoint, RunError>> {
        if rest < REST {
            return None;
        }
        let key = self.settings.run.network.weights_key.as_deref();
        match OpenCheckpoint::open(file, &self.model, key) {
            Ok(open) => Some(Ok(open)),
            Err(error) if rest >= GIVEN_UP => {
                let (path, why) = (file.path.display(), one_line(&*error));
                Some(Err(CommandError::failed(format!(
                    "{path} is incomplete or damaged, and does not change any more: {why}"
                ))
                .into()))
            }
            Err(_) => None,
        }
    }

    /// Whether to end: on request, or because nothing grows and either nothing came for long enough or nothing will.
    fn is_over(&self) -> bool {
        let idle = match self.settings.follow {
            FollowChoice::Idle(idle) => Duration::try_from(idle).ok(),
            FollowChoice::On | FollowChoice::Stdin | FollowChoice::Off => None,
        };
        let is_due = self.is_last_look || idle.is_some_and(|idle| self.since.elapsed() >= idle);
        self.interrupt.is_requested() || self.grows.is_none() && is_due
    }

    fn say(&mut self, note: &str) {
        if self.said.insert(note.to_owned()) {
            self.terminal.note(note);
        }
    }
}

/// Becomes true once standard input ends, where that is to end the run: what is written to it is not read, but the
/// process that holds its other end may go at any time.
fn input_end(follow: FollowChoice) -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    if follow == FollowChoice::Stdin {
        let flag = Arc::clone(&ended);
        thread::spawn(move || {
            // One that cannot be read has ended too.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            flag.store(true, Ordering::SeqCst);
        });
    }
    ended
}

impl Iterator for Follow {
    type Item = NextCheckpoint;

    fn next(&mut self) -> Option<NextCheckpoint> {
        loop {
            if self.ended || self.interrupt.is_requested() {
                return None;
            }
            if let Some(found) = self.look() {
                return Some(found);
            }
            if self.is_over() {
                self.ended = true;
                let error = self.stuck.take()?;
                return Some(NextCheckpoint {
                    file: Checkpoint::default(),
                    opened: Some(Err(error.into())),
                });
            }
            thread::sleep(POLL);
        }
    }
}
