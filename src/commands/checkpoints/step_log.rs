//! The steps of a run as they come: each network is run, compared, shown, and noted in the state.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::loading::{FailedCheckpoint, LoadedCheckpoint};
use super::remaining::Remaining;
use super::setup::CheckpointRun;
use crate::analysis::{ObservedNetwork, Observers, charts};
use crate::commands::context::{Steps, as_markdown};
use crate::commands::error::{Ends, RunError, ends};
use crate::commands::remedy::explain;
use crate::commands::report::Report;
use crate::commands::run_style::{self, RunStyle};
use crate::data::on_error::OnError;
use crate::logger::{Builder, FeatureLogger};
use crate::state::StateWriter;

/// After so long without a new checkpoint, the pictures over time are drawn.
const IDLE: Duration = Duration::from_secs(3);

pub(super) struct StepLog<'a> {
    run: CheckpointRun<'a>,
    observers: Option<Observers>,
    logger: FeatureLogger,
    /// Written with the first step.
    config: Option<String>,
    state: StateWriter,
    last: Option<i64>,
    /// The files of the run's first step and of its last one.
    files: [Option<PathBuf>; 2],
    before: Remaining,
}

impl<'a> StepLog<'a> {
    /// Opens the event file of a new run, or one more of a run that is resumed.
    pub(super) fn open(
        mut run: CheckpointRun<'a>,
        builder: Builder,
        mut run_style: RunStyle,
        state: StateWriter,
        before: Remaining,
    ) -> Result<Self, RunError> {
        let mut logger = run_style.apply(builder).create()?;
        let goes_on = before.goes_on();
        if goes_on {
            run.probes.already_shown();
        }
        run_style.hand_over(&mut logger, &mut run.probes, &run.context.pass);
        Ok(Self {
            observers: run_style.observers,
            logger,
            config: (!goes_on).then(|| run.config.clone()),
            run,
            state,
            last: None,
            files: [before.first().map(|file| file.path.clone()), None],
            before,
        })
    }

    fn draw_now(&mut self) -> Result<(), RunError> {
        if let (Some(observers), Some(last)) = (&mut self.observers, self.last) {
            observers.draw_now(&mut self.logger, last)?;
        }
        Ok(())
    }

    /// Shows the networks as they come. What is due gets less by those that are skipped.
    pub(super) fn show_all(
        mut self,
        networks: &Receiver<Result<LoadedCheckpoint, Box<FailedCheckpoint>>>,
        mut steps: Steps,
    ) -> Result<Report, RunError> {
        let (mut ended, mut taken) = (Ok(()), 0);
        while ended.is_ok() && !self.run.context.context.interrupt.is_requested() {
            ended = match networks.recv_timeout(IDLE) {
                Ok(Ok(loaded)) => {
                    taken += 1;
                    self.add(loaded)
                }
                Ok(Err(failed)) => self.skip(*failed, &mut steps),
                Err(RecvTimeoutError::Timeout) if steps.is_open => self.draw_now(),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
        }
        if steps.is_open {
            // How many come, nobody knew.
            steps.due = taken;
        }
        let is_part = self.run.part.is_some();
        if is_part {
            // Even of files that cannot be read `merge` has to know.
            self.run.context.folder.is_used();
        }
        // What all parts have in common is drawn once they are merged.
        let mut observers = self.observers.filter(|_| !is_part);
        if let (Some(observers), [Some(first), Some(last)]) = (&mut observers, &self.files) {
            self.run.add_rest(observers.summary(), first, last);
        }
        let (summary, ended) = run_style::finish(observers, &mut self.logger, self.last, ended);
        let report = self.run.context.conclude(self.logger, ended, &steps);
        match &report {
            Ok(report) if report.interrupted.is_some() => self.state.check()?,
            Ok(report) => {
                let last = self.last.or(self.before.earlier.last().copied());
                self.state.end(last, report.logged.bytes)?;
            }
            Err(error) if is_part && ends(&**error, Ends::NothingLeft) => {
                self.state.end(None, 0)?;
            }
            Err(_) => {}
        }
        let settings = &self.run.settings.summary;
        report?.sum_up(summary.lines(), &summary.json(), settings)
    }

    /// Leaves out a checkpoint that cannot be shown, or ends the run.
    fn skip(&mut self, failed: FailedCheckpoint, steps: &mut Steps) -> Result<(), RunError> {
        let FailedCheckpoint { file, why } = failed;
        if self.run.settings.on_error() == OnError::Stop {
            return Err(why);
        }
        let why = explain(&*why);
        if self.run.settings.follows() && !file.name.is_empty() {
            self.run.terminal().note(&format!("left out: {why}"));
        }
        self.state.leave_out(&file);
        steps.due = steps.due.saturating_sub(1);
        self.run.context.skipped.push(why);
        Ok(())
    }

    fn add(&mut self, loaded: LoadedCheckpoint) -> Result<(), RunError> {
        let LoadedCheckpoint {
            path,
            network,
            timings,
            mut entry,
        } = loaded;
        self.last = Some(entry.step);
        if !self.before.goes_on() {
            self.files[0].get_or_insert_with(|| path.clone());
        }
        self.files[1] = Some(path);
        let mut step = self.logger.step(entry.step)?;
        step.set_title(entry.name.clone());
        step.record_all(&timings);
        if let Some(config) = self.config.take() {
            step.text("config", as_markdown(&config));
            let layers = &self.run.context.pass.wanted;
            step.summary(charts(layers, self.observers.as_ref(), false));
        }
        step.text("checkpoint", format!("`{}`", entry.name));
        let CheckpointRun {
            context,
            probes,
            first,
            ..
        } = &mut self.run;
        let observed = match first.take() {
            Some(first) if first.step == entry.step => ObservedNetwork {
                pass: &context.pass,
                network: &*network,
                probes: first.probes,
                name: &entry.name,
            },
            _ => probes.run(&context.pass, &*network, &entry.name)?,
        };
        if let Some(observers) = &mut self.observers {
            observers.observe(&mut step, &observed)?;
            entry.found = toml::to_string(observers.latest()).ok();
        }
        probes.log(observed, &mut step)?;
        self.state.expect(entry);
        step.finish();
        Ok(())
    }
}
