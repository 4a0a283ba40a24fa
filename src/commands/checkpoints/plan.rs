//! Which checkpoints are still to be shown.

use std::path::Path;

use super::manifest::{Entry, Manifest};
use crate::commands::error::RunError;
use crate::commands::run_folder::CONFIG;
use crate::data::checkpoints::Checkpoint;
use crate::one_line::listed;
use crate::settings::rewritten;
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

/// What a process does of a sequence.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// The first step that it writes; later ones of an earlier process are written again.
    pub(super) next: i64,
    /// The steps of an earlier process that stay.
    pub(super) earlier: Vec<i64>,
    /// Of the sequence, the checkpoints that were shown before.
    pub(super) shown: Vec<Checkpoint>,
    /// Whether the first step that was shown is among them.
    pub(super) has_first: bool,
    pub(super) due: Vec<Checkpoint>,
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// All of a sequence, in a run without a step.
    pub(super) fn all(sequence: Vec<Checkpoint>) -> Self {
        Self {
            next: i64::MIN,
            earlier: Vec::new(),
            shown: Vec::new(),
            has_first: false,
            due: sequence,
            notes: Vec::new(),
        }
    }

    /// Comes behind these checkpoints, which other processes show.
    pub(super) fn follow_on(&mut self, before: &[Checkpoint]) {
        self.shown.splice(..0, before.iter().cloned());
        self.has_first |= !before.is_empty();
        if let Some(first) = self.due.first().filter(|_| self.next == i64::MIN) {
            self.next = first.step;
        }
    }

    /// All steps of the run, as far as they are known.
    pub(super) fn steps(&self) -> Vec<i64> {
        let due = self.due.iter().map(|file| file.step);
        self.earlier.iter().copied().chain(due).collect()
    }

    /// Whether there are steps of other processes before.
    pub(super) fn goes_on(&self) -> bool {
        !self.earlier.is_empty() || !self.shown.is_empty()
    }

    /// The step from which on an earlier process's run is cut off; `None` for a new run.
    pub(super) fn resumed(&self) -> Option<i64> {
        (self.next > i64::MIN).then_some(self.next)
    }

    /// What the run's manifest lacks of a sequence. A file that came late, or that is another one now, is left out with
    /// a note.
    pub(super) fn continued(sequence: Vec<Checkpoint>, manifest: &Manifest) -> Self {
        let entries = &manifest.entries;
        let last = entries.last_key_value().map_or(i64::MIN, |(step, _)| *step);
        let is_replaced = |file: &&Checkpoint| {
            let entry: Option<&Entry> = entries.get(&file.step);
            entry.is_some_and(|entry| !entry.is_of(file))
        };
        let is_late = |file: &&Checkpoint| {
            let is_known = entries.contains_key(&file.step) || manifest.leaves_out(file);
            file.step < last && !is_known
        };
        let replaced: Vec<&Checkpoint> = sequence.iter().filter(is_replaced).collect();
        let came: Vec<&Checkpoint> = sequence.iter().filter(is_late).collect();
        let mut notes = Vec::new();
        for (why, files) in [
            ("came after a later step was shown", &came),
            ("changed since it was shown", &replaced),
        ] {
            if !files.is_empty() {
                notes.push(format!(
                    "left out: {} {why} (the run is at step {last}); to show them too, name another --run",
                    named(files)
                ));
            }
        }
        let is_left_out = |file: &&Checkpoint| file.step < last && manifest.leaves_out(file);
        let left_out: Vec<&Checkpoint> = sequence.iter().filter(is_left_out).collect();
        if !left_out.is_empty() {
            let files = named(&left_out);
            notes.push(format!(
                "left out as before, since it could not be read and did not change: {files}"
            ));
        }
        let next = last.saturating_add(1);
        let (shown, due): (Vec<_>, Vec<_>) =
            sequence.into_iter().partition(|file| file.step < next);
        let shown: Vec<Checkpoint> = shown
            .into_iter()
            .filter(|file| {
                entries
                    .get(&file.step)
                    .is_some_and(|entry| entry.is_of(file))
            })
            .collect();
        let first = entries.first_key_value().map(|(step, _)| *step);
        Self {
            next,
            earlier: entries.range(..next).map(|(step, _)| *step).collect(),
            has_first: shown.first().map(|file| file.step) == first,
            shown,
            due,
            notes,
        }
    }
}

/// The first ones, and how many more there are.
fn named(files: &[&Checkpoint]) -> String {
    listed(files.iter().map(|file| &file.name), ", ", NAMED)
}

/// Refuses another configuration than that of the run in `folder`.
pub(super) fn check_configuration(folder: &Path, config: &str) -> Result<(), RunError> {
    let path = folder.join(CONFIG);
    let before = rewritten("checkpoints", &path)?;
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
    Err(RunError::OtherConfiguration {
        folder: folder.to_owned(),
        changed: changed.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::checkpoints::open::RunNetwork;
    use std::fs;

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

    fn logged(folder: &Path, steps: &[i64]) -> Manifest {
        let mut manifest = Manifest::new(folder, String::new(), RunNetwork::default());
        for file in files(folder, steps) {
            manifest
                .entries
                .insert(file.step, Entry::of(&file).unwrap());
        }
        manifest
    }

    fn steps(files: &[Checkpoint]) -> Vec<i64> {
        files.iter().map(|file| file.step).collect()
    }

    #[test]
    fn what_is_new_is_due_and_what_came_late_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let manifest = logged(folder, &[1, 2, 4]);
        let plan = Plan::continued(files(folder, &[1, 2, 4, 5, 9]), &manifest);
        assert_eq!((plan.next, steps(&plan.due)), (5, vec![5, 9]));
        assert_eq!(steps(&plan.shown), [1, 2, 4]);
        assert!(plan.notes.is_empty());

        let all = || files(folder, &[1, 2, 3, 4, 5]);
        let plan = Plan::continued(all(), &manifest);
        assert_eq!(steps(&plan.due), [5]);
        assert!(
            plan.notes[0].contains("epoch_3.pth came after"),
            "{:?}",
            plan.notes
        );
        fs::write(folder.join("epoch_2.pth"), [7; 6]).unwrap();
        let plan = Plan::continued(files(folder, &[1, 2, 4]), &manifest);
        assert!(plan.due.is_empty() && plan.notes[0].contains("epoch_2.pth changed"));

        // A file that was deleted leaves its step.
        let plan = Plan::continued(files(folder, &[4, 6]), &manifest);
        assert_eq!((steps(&plan.shown), steps(&plan.due)), (vec![4], vec![6]));
    }
}
