//! What the parts of a run agree about, and what one of them lacks.

use std::fs::{self, File};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::CheckpointsError;
use super::loading::Loader;
use super::part::{CALIBRATION, DONE, Part, SUMMARY, remove};
use super::remaining::{Remaining, check_configuration};
use super::setup::CheckpointRun;
use crate::commands::error::RunError;
use crate::data::checkpoints::Checkpoint;
use crate::state::{CONFIG, Manifest, StateError, lock_file, read_toml, write_text, write_toml};
use crate::weights::sha256;

const SPLIT: &str = "split.toml";

/// What all parts have to agree about.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    parts: usize,
    checkpoints: usize,
    /// SHA-256 of their names and steps.
    sequence: String,
    /// SHA-256 of the probe images as the network gets them.
    probe_images: String,
}

impl Part {
    /// Agrees with the other parts on what is split, and how the run is configured. Where none has a step yet, and
    /// none is at work, this one says it. The file is to be held while this part is at work.
    pub(super) fn agree(&self, run: &CheckpointRun<'_>) -> Result<File, RunError> {
        let line = |Checkpoint { name, step, .. }: &Checkpoint| format!("{step} {name}\n");
        let lines: String = run.sequence.iter().map(line).collect();
        let terms = Terms {
            parts: self.shard.count.get(),
            checkpoints: run.sequence.len(),
            sequence: sha256(&mut lines.as_bytes()).unwrap_or_default(),
            probe_images: run.probes.hash(),
        };
        let parts = self.parts();
        let _turn = self.turn(&parts.join("lock"), run.context.context)?;
        let alive = lock_file(&parts.join("alive"))?;
        let found: Option<Terms> = read_toml(&parts.join(SPLIT))?;
        let agreed = found.map(|found| self.compare(&found, &terms, &run.config));
        match agreed {
            Some(Ok(())) => {}
            Some(Err(differs)) if self.has_begun() || alive.try_lock().is_err() => {
                return Err(differs);
            }
            _ => {
                remove(&parts.join(CALIBRATION))?;
                write_text(&self.run.join(CONFIG), &run.config)?;
                write_toml(&parts.join(SPLIT), &terms)?;
            }
        }
        // Where the file system has no locks, nobody is known to be at work.
        let _ = alive.unlock();
        let _ = alive.try_lock_shared();
        Ok(alive)
    }

    fn compare(&self, found: &Terms, terms: &Terms, config: &str) -> Result<(), RunError> {
        let folder = self.run.clone();
        let differs = if found.parts != terms.parts {
            CheckpointsError::OtherParts {
                folder,
                expected: found.parts,
                found: terms.parts,
            }
        } else if (found.checkpoints, &found.sequence) != (terms.checkpoints, &terms.sequence) {
            CheckpointsError::OtherSequence {
                folder,
                expected: found.checkpoints,
                found: terms.checkpoints,
            }
        } else if found.probe_images != terms.probe_images {
            CheckpointsError::OtherProbes(folder)
        } else {
            return check_configuration(&self.run, config);
        };
        Err(differs.into())
    }

    /// Whether any part has a step, or may have one.
    fn has_begun(&self) -> bool {
        let begun = |folder: PathBuf| {
            let has_step =
                |manifest: Option<Manifest>| manifest.is_some_and(|m| m.last().is_some());
            Manifest::read(&folder).map_or(true, has_step) || folder.join(DONE).exists()
        };
        let folders = fs::read_dir(self.parts()).into_iter().flatten();
        folders.flatten().map(|entry| entry.path()).any(begun)
    }

    /// The part's manifest, and what it lacks. Its steps are compared with the run's first one and with the one before.
    pub(super) fn remaining(
        &self,
        run: &CheckpointRun<'_>,
        loader: &Loader,
    ) -> Result<(Manifest, Remaining), RunError> {
        let folder = self.own();
        let mut manifest = Manifest::read(&folder)?;
        if run.settings.comparison.is_on() {
            self.cut_back(manifest.as_mut())?;
        }
        let manifest = manifest.filter(|manifest| manifest.last().is_some());
        let manifest = manifest
            .unwrap_or_else(|| Manifest::new(run.probes.hash(), loader.network_shown().clone()));
        let (before, from) = run.sequence.split_at(self.block.start);
        let block = &from[..self.block.len()];
        let mut remaining = Remaining::of(block, &manifest, run.terminal());
        if remaining.due.is_empty() {
            self.done()?;
            let steps = manifest.shown().count();
            return Err(CheckpointsError::NothingNew { folder, steps }.into());
        }
        remaining.follow_on(before);
        Ok((manifest, remaining))
    }

    /// Cuts what was done back to the summary, after which something would be missing in the end.
    fn cut_back(&self, manifest: Option<&mut Manifest>) -> Result<(), StateError> {
        let summary = self.summary(self.shard.index)?;
        let last = manifest.and_then(|manifest| {
            let is_shown = |step: &i64| manifest.get(*step).is_some_and(|entry| !entry.left_out);
            let last = summary.map(|summary| summary.step).filter(is_shown);
            manifest.cut_after(last);
            last
        });
        match last {
            Some(_) => Ok(()),
            None => remove(&self.own().join(SUMMARY)),
        }
    }
}
