//! Which checkpoints are still to be shown.

use std::path::Path;

use super::part::{block, other_sequence};
use super::setup::CheckpointRun;
use crate::analysis::grams::{GRAMS, first_without_grams};
use crate::commands::error::{CommandError, RunError};
use crate::commands::terminal::Terminal;
use crate::data::checkpoints::Checkpoint;
use crate::one_line::listed;
use crate::settings::{CheckpointsSettings, changed_settings};
use crate::state::{Entry, RunOf, STATE, State, StateError, checksum};
use tensorboard_events::event_files;

const NAMED: usize = 3;

/// What a run lacks of a sequence.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Remaining {
    /// The steps that earlier processes wrote into this run folder.
    pub(super) earlier: Vec<i64>,
    /// Of the sequence, the checkpoints before those that are due, here or in the parts before this one.
    pub(super) shown: Vec<Checkpoint>,
    /// Whether the first step of the run is among them.
    pub(super) has_first: bool,
    pub(super) due: Vec<Checkpoint>,
    /// Files that could not be read before, and did not change.
    pub(super) unreadable: Vec<String>,
    /// The step from which on the event files are written again, unless there is none yet.
    pub(super) resumed: Option<i64>,
}

impl Remaining {
    pub(super) fn all(sequence: &[Checkpoint]) -> Self {
        Self {
            due: sequence.to_vec(),
            ..Self::default()
        }
    }

    /// What a run lacks. A file that came after a later step was shown, or that is another one now, is left out with a
    /// note.
    pub(super) fn of(sequence: &[Checkpoint], state: &State, terminal: &Terminal) -> Self {
        let Some(last) = state.last() else {
            return Self::all(sequence);
        };
        let (mut shown, mut due) = (Vec::new(), Vec::new());
        let (mut came, mut changed, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for file in sequence {
            let entry = state.get(file.step);
            let is_same = entry.is_some_and(|entry| entry.is_of(file));
            match entry {
                _ if file.step > last => due.push(file.clone()),
                Some(entry) if entry.is_left_out() && is_same => unreadable.push(file),
                Some(entry) if entry.is_left_out() => came.push(file),
                Some(_) if is_same => shown.push(file.clone()),
                Some(_) => changed.push(file),
                None => came.push(file),
            }
        }
        let note = |files: &[&Checkpoint], why: &str| {
            if !files.is_empty() {
                let files = named(files);
                terminal.note(&format!(
                    "left out: {files} {why}; to show it too, name another --run"
                ));
            }
        };
        note(&came, "came after a later step was shown");
        note(&changed, "changed since it was shown");
        let first = state.shown().next().map(|entry| entry.step);
        Self {
            unreadable: unreadable.iter().map(|file| file.name.clone()).collect(),
            earlier: state.shown().map(|entry| entry.step).collect(),
            has_first: shown.first().map(|file| file.step) == first,
            shown,
            due,
            resumed: Some(last.saturating_add(1)),
        }
    }

    /// Comes after these checkpoints, which other processes show.
    fn follow_on(&mut self, before: &[Checkpoint]) {
        self.shown.splice(..0, before.iter().cloned());
        self.has_first |= !before.is_empty();
    }

    /// Whether this run folder has no step yet.
    pub(super) fn is_new(&self) -> bool {
        self.earlier.is_empty()
    }

    /// All steps of the run folder, where they are known.
    pub(super) fn steps(&self) -> Vec<i64> {
        let due = self.due.iter().map(|file| file.step);
        self.earlier.iter().copied().chain(due).collect()
    }

    /// The first step of the run, if its file is there.
    pub(super) fn first(&self) -> Option<&Checkpoint> {
        self.shown.first().filter(|_| self.has_first)
    }

    /// Whether there are steps of other processes before.
    pub(super) fn goes_on(&self) -> bool {
        !self.earlier.is_empty() || !self.shown.is_empty()
    }
}

impl CheckpointRun<'_> {
    /// The state of the run, which may have an earlier one, and what it lacks of the sequence.
    pub(super) fn remaining(&self, earlier: Option<State>) -> Result<(State, Remaining), RunError> {
        let path = self.context.folder.path();
        let change_file = self.settings.comparison.change.file().map(|path| {
            let path = path.to_owned();
            checksum(&path).map_err(|source| StateError::Read { path, source })
        });
        let of = RunOf {
            settings: self.settings.shown(&self.context.pass)?,
            probe_images: self.probes.hash(),
            comparison_images: self.comparison.as_ref().map(|images| images.hash.clone()),
            change_file: change_file.transpose()?,
            network: self.network.network.clone(),
            part: self.part.cloned(),
        };
        let block = self.part.map_or(0..self.sequence.len(), block);
        let (before, from) = self.sequence.split_at(block.start);
        let block = &from[..block.len()];
        self.context.folder.claim(STATE);
        let mut state = earlier.unwrap_or_else(|| State::new(of.clone()));
        self.check_same(&state.run, &of)?;
        let folder = &self.context.folder;
        if state.last().is_none() || folder.lacks_config() {
            folder.write_config(&self.config)?;
        }
        self.cut_back(&mut state, block);
        let mut remaining = Remaining::of(block, &state, self.terminal());
        if remaining.due.is_empty() && !self.settings.follows() {
            let needs_summary = self.settings.summary.is_needed();
            let left_out = &remaining.unreadable;
            return Err(shows_all(path, &state, left_out, needs_summary).into());
        }
        state.reopen();
        remaining.follow_on(before);
        if remaining.resumed.is_none() && !event_files(path).unwrap_or_default().is_empty() {
            remaining.resumed = remaining.due.first().map(|file| file.step);
        }
        Ok((state, remaining))
    }

    fn check_same(&self, before: &RunOf, now: &RunOf) -> Result<(), CommandError> {
        let path = self.context.folder.path();
        let folder = path.display();
        if let (Some(before), Some(now)) = (&before.part, &now.part) {
            if before.parts != now.parts {
                let (expected, found) = (before.parts, now.parts);
                return Err(CommandError::wrong_use(format!(
                    "{folder} is split into {expected} parts, not {found}: repeat --shard as it was (auto/{expected} in a job array), or name another --run"
                )));
            }
            if before.sequence != now.sequence {
                return Err(other_sequence(path, before.checkpoints, now.checkpoints));
            }
        }
        let defaults = CheckpointsSettings::default_shown(&self.context.pass);
        let mut changed = changed_settings(&before.settings, &now.settings, &defaults);
        if before.change_file.is_some()
            && changed.is_empty()
            && before.change_file != now.change_file
        {
            changed.push("the file of --change holds other weights".to_owned());
        }
        if !changed.is_empty() {
            let changed = changed.join(", ");
            return Err(CommandError::wrong_use(format!(
                "{folder} was made with other settings: {changed}; repeat them, or name another --run"
            )));
        }
        if before.probe_images != now.probe_images
            || before.comparison_images != now.comparison_images
        {
            return Err(CommandError::wrong_use(format!(
                "{folder} shows other probe images or comparison images: repeat --images and --compare-images as they were, or name another --run"
            )));
        }
        Ok(())
    }

    /// Drops the steps of which something is missing: values in the event files, Gram matrices, or of the last one
    /// what follows it. Steps whose checkpoints are gone stay as they are, as they cannot be made again.
    fn cut_back(&self, state: &mut State, block: &[Checkpoint]) {
        let is_there = |entry: &Entry| {
            block
                .iter()
                .any(|file| file.step == entry.step && entry.is_of(file))
        };
        let can_repeat = |state: &State, from| {
            let mut dropped = state.shown().filter(|entry| entry.step >= from);
            dropped.all(is_there)
        };
        let known = state.last();
        if self.comparison.is_some() {
            let steps: Vec<i64> = state.shown().map(|entry| entry.step).collect();
            let folder = self.context.folder.path().join(GRAMS);
            match first_without_grams(&folder, &steps) {
                Some(step) if can_repeat(state, step) => state.cut_from(step),
                Some(step) => self.terminal().note(&format!(
                    "{}: lacks step {step}, and its checkpoint or a later one is gone or changed: compare does not show it",
                    folder.display()
                )),
                None => {}
            }
        }
        if state.is_shortened() || state.last() != known {
            let folder = self.context.folder.path().display();
            let from = match state.last() {
                Some(last) => format!("the steps after {last}"),
                None => "all steps".to_owned(),
            };
            self.terminal().note(&format!(
                "{folder}: files of earlier steps are damaged or gone; {from} are made again where their checkpoints are still there"
            ));
        }
        // A run that is followed may end without another step, and then draws what follows the last one again.
        let lacks_its_end = !state.has_ended() || self.settings.follows();
        if let Some(last) = state.last()
            && lacks_its_end
            && block.iter().all(|file| file.step <= last)
        {
            if can_repeat(state, last) {
                state.cut_from(last);
            } else {
                self.terminal().note(&format!(
                    "images over time and the summary are not drawn again: the checkpoint of the last step, {last}, is gone or changed"
                ));
            }
        }
    }
}

/// That a run shows all that there is, and has its summary.
pub(super) fn nothing_new(run: &Path, state: &State, needs_summary: bool) -> CommandError {
    let left_out: Vec<_> = state.left_out().map(|entry| entry.name.clone()).collect();
    shows_all(run, state, &left_out, needs_summary)
}

fn shows_all(run: &Path, state: &State, left_out: &[String], needs_summary: bool) -> CommandError {
    let (run, steps) = (run.display(), state.shown().count());
    let mut text = format!("{run} shows every checkpoint already: {steps} steps");
    if !left_out.is_empty() {
        let files = listed(left_out, ", ", NAMED);
        text = format!("{text}; left out, since they could not be read: {files}");
    }
    if needs_summary {
        text += "; for --json and --fail-if show them again, with another --run";
    }
    if left_out.is_empty() && !needs_summary {
        return CommandError::nothing_to_do(text);
    }
    CommandError::failed(text)
}

fn named(files: &[&Checkpoint]) -> String {
    listed(files.iter().map(|file| &file.name), ", ", NAMED)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::state::RunNetwork;
    use tensorboard_events::EventFile;

    fn files(folder: &Path, steps: &[i64]) -> Vec<Checkpoint> {
        let file = |step: &i64| {
            let name = format!("epoch_{step}.pth");
            let path = folder.join(&name);
            if !path.exists() {
                fs::write(&path, [0; 5]).unwrap();
            }
            Checkpoint {
                path,
                name,
                step: *step,
            }
        };
        steps.iter().map(file).collect()
    }

    /// A run that shows these steps, and left out that one.
    fn state(folder: &Path, shown: &[i64], left_out: i64) -> State {
        let of = RunOf {
            settings: toml::Table::new(),
            probe_images: String::new(),
            comparison_images: None,
            change_file: None,
            network: RunNetwork::default(),
            part: None,
        };
        let writer = State::new(of).write(folder).unwrap();
        let events = EventFile::create(folder).unwrap();
        for file in files(folder, shown) {
            writer.expect(Entry::read(&file).unwrap());
            writer.durable(file.step, events.position());
        }
        writer.leave_out(&files(folder, &[left_out])[0]);
        State::read(folder).unwrap().unwrap()
    }

    fn steps(files: &[Checkpoint]) -> Vec<i64> {
        files.iter().map(|file| file.step).collect()
    }

    #[test]
    fn what_is_new_is_due_and_what_came_late_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let state = state(folder, &[1, 2, 4], 3);
        let remaining = |steps: &[i64]| {
            let terminal = Terminal::new(true);
            Remaining::of(&files(folder, steps), &state, &terminal)
        };
        let all = remaining(&[1, 2, 3, 4, 5, 9]);
        assert_eq!((all.resumed, steps(&all.due)), (Some(5), vec![5, 9]));
        assert_eq!((steps(&all.shown), all.has_first), (vec![1, 2, 4], true));
        assert_eq!(all.steps(), [1, 2, 4, 5, 9]);

        // What could not be read is late, now that it is another file.
        fs::write(folder.join("epoch_3.pth"), [7; 6]).unwrap();
        assert_eq!(remaining(&[1, 2, 3, 4, 5]), remaining(&[1, 2, 4, 5]));

        fs::write(folder.join("epoch_1.pth"), [7; 6]).unwrap();
        let changed = remaining(&[1, 2, 4]);
        assert!(changed.due.is_empty() && !changed.has_first);
        assert_eq!(steps(&changed.shown), [2, 4]);

        // A file that was deleted leaves its step.
        let gone = remaining(&[4, 6]);
        assert_eq!((steps(&gone.shown), steps(&gone.due)), (vec![4], vec![6]));
        assert_eq!(gone.earlier, [1, 2, 4]);
    }
}
