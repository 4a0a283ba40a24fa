//! Which checkpoints are still to be shown.

use std::path::Path;

use super::error::CheckpointsError;
use crate::commands::error::RunError;
use crate::commands::terminal::Terminal;
use crate::data::checkpoints::Checkpoint;
use crate::one_line::listed;
use crate::settings::rewritten;
use crate::state::{CONFIG, Manifest};
use crate::train::changes;

/// Settings that another process may have otherwise: they change where and how fast a run is made, not what it shows.
const FREE: [&str; 10] = [
    "checkpoints",
    "follow",
    "device",
    "batch",
    "on-error",
    "quiet",
    "timings",
    "png",
    "logdir",
    "run",
];

/// Files that a note names.
const NAMED: usize = 3;

/// What a run lacks of a sequence.
#[derive(Debug, PartialEq)]
pub(super) struct Remaining {
    /// The steps that earlier processes wrote into this run folder.
    pub(super) earlier: Vec<i64>,
    /// Of the sequence, the checkpoints before those that are due, here or in the parts before this one.
    pub(super) shown: Vec<Checkpoint>,
    /// Whether the first step of the run is among them.
    pub(super) has_first: bool,
    pub(super) due: Vec<Checkpoint>,
    /// The step from which on the event file is written again, unless the run is new.
    pub(super) resumed: Option<i64>,
}

impl Remaining {
    /// All of a sequence, in a run without a step.
    pub(super) fn all(sequence: &[Checkpoint]) -> Self {
        Self {
            earlier: Vec::new(),
            shown: Vec::new(),
            has_first: false,
            due: sequence.to_vec(),
            resumed: None,
        }
    }

    /// What the manifest of a run lacks. A file that came after a later step was shown, or that is another one now, is
    /// left out with a note.
    pub(super) fn of(sequence: &[Checkpoint], manifest: &Manifest, terminal: &Terminal) -> Self {
        let Some(last) = manifest.last() else {
            return Self::all(sequence);
        };
        let (mut shown, mut due) = (Vec::new(), Vec::new());
        let (mut came, mut changed, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for file in sequence {
            let entry = manifest.get(file.step);
            let is_same = entry.is_some_and(|entry| entry.is_of(file));
            match entry {
                _ if file.step > last => due.push(file.clone()),
                Some(entry) if entry.left_out && is_same => unreadable.push(file),
                Some(entry) if entry.left_out => came.push(file),
                Some(_) if is_same => shown.push(file.clone()),
                Some(_) => changed.push(file),
                None => came.push(file),
            }
        }
        let note = |files: &[&Checkpoint], why: &str| {
            if !files.is_empty() {
                let files = named(files);
                terminal.note(&format!(
                    "left out: {files} {why} (the run is at step {last}); to show it too, name another --run"
                ));
            }
        };
        note(&came, "came after a later step was shown");
        note(&changed, "changed since it was shown");
        if !unreadable.is_empty() {
            terminal.note(&format!(
                "left out as before, since it could not be read and did not change: {}",
                named(&unreadable)
            ));
        }
        let first = manifest.shown().next().map(|entry| entry.step);
        Self {
            earlier: manifest.shown().map(|entry| entry.step).collect(),
            has_first: shown.first().map(|file| file.step) == first,
            shown,
            due,
            resumed: Some(last.saturating_add(1)),
        }
    }

    /// Comes after these checkpoints, which other processes show.
    pub(super) fn follow_on(&mut self, before: &[Checkpoint]) {
        self.shown.splice(..0, before.iter().cloned());
        self.has_first |= !before.is_empty();
        self.resumed = self.resumed.or(self.due.first().map(|file| file.step));
    }

    /// All steps of the run folder, where they are known.
    pub(super) fn steps(&self) -> Vec<i64> {
        let due = self.due.iter().map(|file| file.step);
        self.earlier.iter().copied().chain(due).collect()
    }

    /// Whether there are steps of other processes before.
    pub(super) fn goes_on(&self) -> bool {
        !self.earlier.is_empty() || !self.shown.is_empty()
    }
}

fn named(files: &[&Checkpoint]) -> String {
    listed(files.iter().map(|file| &file.name), ", ", NAMED)
}

/// Refuses another configuration than that of the run in `folder`.
pub(super) fn check_configuration(folder: &Path, config: &str) -> Result<(), RunError> {
    let before = rewritten("checkpoints", &folder.join(CONFIG))?;
    let is_free = |change: &String| {
        FREE.iter()
            .any(|key| change.starts_with(&format!("{key} ")))
    };
    let changed: Vec<String> = changes(&before, config)
        .into_iter()
        .map(|change| change.trim_start_matches("setting changed: ").to_owned())
        .filter(|change| !is_free(change))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(CheckpointsError::OtherSettings {
        folder: folder.to_owned(),
        changed: changed.join(", "),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::state::{Entry, RunNetwork};

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
    fn manifest(folder: &Path, shown: &[i64], left_out: i64) -> Manifest {
        let writer = Manifest::new(String::new(), RunNetwork::default());
        let writer = writer.write(folder).unwrap();
        for file in files(folder, shown) {
            writer.expect(Entry::read(&file).unwrap());
            writer.written(file.step);
        }
        writer.leave_out(&files(folder, &[left_out])[0]);
        Manifest::read(folder).unwrap().unwrap()
    }

    fn steps(files: &[Checkpoint]) -> Vec<i64> {
        files.iter().map(|file| file.step).collect()
    }

    #[test]
    fn what_is_new_is_due_and_what_came_late_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let manifest = manifest(folder, &[1, 2, 4], 3);
        let remaining = |steps: &[i64]| {
            let terminal = Terminal::new(true);
            Remaining::of(&files(folder, steps), &manifest, &terminal)
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
