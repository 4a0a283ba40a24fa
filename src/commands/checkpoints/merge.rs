//! `vggscope merge`: the parts of a run become one, equal to what one process makes.
//!
//! Whatever a process that was killed left is made again, until the event file has its name: then the run is whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::every::EveryNth;
use super::loading::Loader;
use super::part::{hash_of, other_sequence};
use super::remaining::{Remaining, nothing_new};
use super::setup::{CheckpointRun, Inputs};
use super::{found, list};
use crate::analysis::change::Summary;
use crate::analysis::grams::{GRAMS, copy_grams};
use crate::analysis::{Observers, Role};
use crate::commands::context::Context;
use crate::commands::error::{CommandError, RunError};
use crate::commands::parameters::open_model;
use crate::commands::remedy::explain;
use crate::commands::report::Report;
use crate::logger::{FeatureLogger, Logged};
use crate::one_line::listed;
use crate::settings::{CheckpointsSettings, MergeSettings};
use crate::state::{CONFIG, Entry, PartOf, RunFolder, RunOf, State, StateError, part_folders};
use tensorboard_events::{EventFile, Inventory, Position, publish, published};

const NAMED: usize = 8;

pub(crate) fn run(settings: &MergeSettings, context: &Context) -> Result<Report, RunError> {
    let run = &settings.run;
    if part_folders(run)?.is_empty() && State::read(run)?.is_none() {
        return Err(no_parts(run).into());
    }
    // Another process may have merged them until this one has the lock.
    let folder = RunFolder::resume(run.clone())?;
    let folders = part_folders(run)?;
    if let Some(state) = State::read(run)?.filter(State::has_ended) {
        remove(folders.values())?;
        let needs_summary = settings.summary.is_needed();
        return Err(nothing_new(run, &state, needs_summary).into());
    }
    let parts = Parts::read(run, folders)?;
    let (logged, summary) = parts.join(folder, context)?;
    remove(parts.folders.values())?;
    let report = Report {
        run_folder: run.clone(),
        logdir: run.parent().unwrap_or(Path::new("")).to_owned(),
        logged,
        skipped: parts
            .state
            .left_out()
            .map(|entry| entry.name.clone())
            .collect(),
        notes: vec![format!("{} parts are one run", parts.of.parts)],
        ..Report::default()
    };
    report.sum_up(summary.lines(), &summary.json(), &settings.summary)
}

/// All parts of a run, each of them whole, and held so that no process makes it again.
struct Parts {
    folders: BTreeMap<usize, PathBuf>,
    held: Vec<RunFolder>,
    of: PartOf,
    state: State,
}

impl Parts {
    fn read(run: &Path, folders: BTreeMap<usize, PathBuf>) -> Result<Self, RunError> {
        let held = folders.values().cloned().map(RunFolder::resume);
        let held = held.collect::<Result<Vec<_>, _>>()?;
        let mut states = BTreeMap::new();
        for (index, folder) in &folders {
            if let Some(state) = State::read(folder)? {
                states.insert(*index, state);
            }
        }
        let first = states
            .values()
            .find_map(|state| Some((&state.run, &state.files, state.run.part.clone()?)));
        let Some((first, files, of)) = first else {
            return Err(no_parts(run).into());
        };
        let is_done = |index: &usize| states.get(index).is_some_and(State::has_ended);
        let missing: Vec<usize> = (0..of.parts).filter(|index| !is_done(index)).collect();
        if !missing.is_empty() {
            return Err(CommandError::failed(format!(
                "{} lacks part {} of {}: repeat the command of each that is missing, then merge again",
                run.display(),
                listed(&missing, ", ", NAMED),
                of.parts
            ))
            .into());
        }
        let mut state = State::new(RunOf {
            part: None,
            ..first.clone()
        });
        state.files.clone_from(files);
        for (index, part) in states {
            let expected = PartOf {
                index,
                ..of.clone()
            };
            let found = RunOf {
                part: None,
                ..part.run.clone()
            };
            if part.run.part.as_ref() != Some(&expected) || found != state.run {
                return Err(CommandError::failed(format!(
                    "{} is a part of another run than the parts next to it: delete it, and make it again",
                    folders[&index].display()
                ))
                .into());
            }
            state.add_part(part);
        }
        Ok(Self {
            folders,
            held,
            of,
            state,
        })
    }

    /// Joins them, and draws what is known only of all steps. Returns what the run holds, and what there is to say.
    fn join(&self, folder: RunFolder, context: &Context) -> Result<(Logged, Summary), RunError> {
        let run = &folder.path().to_owned();
        let parts: Vec<PathBuf> = self.folders.values().cloned().collect();
        // Alike in all of them, as the settings are.
        let has_config = |part: &&RunFolder| !part.lacks_config();
        let part = self.held.iter().find(has_config);
        let part = part.ok_or_else(|| {
            let run = run.display();
            CommandError::failed(format!("{run}: the config.toml of every part is lost; repeat the command of one part, which writes it again, then merge again"))
        })?;
        let path = part.path().join(CONFIG);
        let config = CheckpointsSettings::of_run(&path, run)?;
        let events = EventFile::join(run, &parts)?;
        let hidden = events.path().to_owned();
        let (folder, bytes, summary) = match self.state.last() {
            Some(last) if config.comparison.is_on() => {
                self.draw(&config, folder, events, last, context)?
            }
            _ => (folder, events.close()?, Summary::default()),
        };
        let text = fs::read_to_string(&path);
        folder.write_config(&text.map_err(|source| StateError::Read { path, source })?)?;
        folder.restore(&self.state.files)?;
        for part in &parts {
            copy_grams(&part.join(GRAMS), &run.join(GRAMS))?;
        }
        let path = published(&hidden);
        let name = path.file_name().unwrap_or_default();
        let mut state = self.state.clone();
        state.joined(&Position {
            file: name.to_string_lossy().into_owned(),
            length: bytes,
        });
        state.write(run)?;
        publish(&hidden)?;
        let logged = Logged {
            steps: state.shown().count() as u64,
            tags: Inventory::of(&[path]).tags.into_keys().collect(),
            bytes,
            ..Logged::default()
        };
        Ok((logged, summary))
    }

    /// Runs the checkpoints again that have a column in the images over time, and draws these. Returns the folder, the
    /// length of the event file in bytes, and the summary.
    fn draw(
        &self,
        settings: &CheckpointsSettings,
        folder: RunFolder,
        events: EventFile,
        last: i64,
        context: &Context,
    ) -> Result<(RunFolder, u64, Summary), RunError> {
        context.terminal.note("drawing the images over all steps");
        let quiet = context.quiet();
        let model = open_model(&settings.run.network)?;
        let inputs = Inputs::open(settings, model, &quiet)?;
        let sequence = EveryNth::new(settings.every, None).of(list(settings, &quiet)?);
        if hash_of(&sequence) != self.of.sequence {
            let (expected, found) = (self.of.checkpoints, sequence.len());
            return Err(other_sequence(folder.path(), expected, found).into());
        }
        let known = Some(&self.state.run.network);
        let mut run = inputs.run(settings, &quiet, folder, None, &sequence, known)?;
        let loader = run.loader();
        let run_style = run.calibrate(&loader, &Remaining::all(&sequence))?;
        let builder = run.context.quiet_logger(run.label(&loader)?).events(events);
        let mut logger = run_style.apply(builder).create()?;
        let mut summary = Summary::default();
        if let Some(mut observers) = run_style.observers {
            self.replay(&run, &loader, &mut observers, &mut logger)?;
            *observers.summary() = found(&self.state, last);
            let file = |step: i64| run.sequence.iter().find(|file| file.step == step);
            let first = self.state.shown().next().and_then(|entry| file(entry.step));
            if let (Some(first), Some(last)) = (first, file(last)) {
                run.add_rest(observers.summary(), &first.path, &last.path);
            }
            summary = observers.finish(&mut logger, last)?;
        }
        Ok((run.context.folder, logger.finish()?.bytes, summary))
    }

    /// Gives the observers the steps that have a column.
    fn replay(
        &self,
        run: &CheckpointRun<'_>,
        loader: &Loader,
        observers: &mut Observers,
        logger: &mut FeatureLogger,
    ) -> Result<(), RunError> {
        let last = self.state.last();
        for (place, Entry { step, name, .. }) in self.state.shown().enumerate() {
            if !observers.has_column(place) && Some(*step) != last {
                continue;
            }
            let Some(file) = run.sequence.iter().find(|file| file.step == *step) else {
                continue;
            };
            match loader.network(file) {
                Ok(network) => {
                    let network = run.probes.run(&run.context.pass, &*network, name)?;
                    observers.place = place;
                    observers.replay(*step, Role::Column, &network)?;
                    *observers.summary() = found(&self.state, *step);
                    observers.draw_if_due(logger, *step)?;
                }
                Err(error) => {
                    let note = format!("not in the images over time: {}", explain(&*error));
                    run.terminal().note(&note);
                }
            }
        }
        Ok(())
    }
}

fn no_parts(run: &Path) -> CommandError {
    let run = run.display();
    CommandError::wrong_use(format!(
        "{run} holds no parts of a run, as checkpoints --shard makes them: name the run's folder, LOGDIR/RUN"
    ))
}

fn remove<'a>(folders: impl Iterator<Item = &'a PathBuf>) -> Result<(), StateError> {
    for path in folders {
        fs::remove_dir_all(path).map_err(|source| StateError::Write {
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}
