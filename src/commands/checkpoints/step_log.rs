//! The steps of a run as they come: each network is run, compared, shown, and noted in the manifest.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::calibrate::{Calibrated, FirstPass};
use super::loading::{FailedCheckpoint, LoadedCheckpoint};
use super::setup::CheckpointRun;
use crate::analysis::Observers;
use crate::commands::calibration;
use crate::commands::context::{Steps, as_markdown};
use crate::commands::error::RunError;
use crate::commands::remedy::explain;
use crate::commands::report::Report;
use crate::data::on_error::OnError;
use crate::logger::{Builder, FeatureLogger};
use crate::state::ManifestWriter;

/// After so long without a new checkpoint, the pictures over time are drawn.
const IDLE: Duration = Duration::from_secs(3);

/// A part that is killed makes so much again.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// What the steps are written with.
pub(super) struct StepLog<'a> {
    run: CheckpointRun<'a>,
    /// What the checkpoint of a step that is to come has made of the probe images.
    first: Option<FirstPass>,
    observers: Option<Observers>,
    logger: FeatureLogger,
    /// Written with the first step.
    config: Option<String>,
    manifest: ManifestWriter,
    /// When it was noted what a part found out.
    kept: Option<Instant>,
    /// The number of the last step.
    last: Option<i64>,
}

impl<'a> StepLog<'a> {
    /// Opens the event file of a new run, or one more of a run that goes on.
    pub(super) fn open(
        mut run: CheckpointRun<'a>,
        builder: Builder,
        calibrated: Calibrated,
        manifest: ManifestWriter,
        goes_on: bool,
    ) -> Result<Self, RunError> {
        let Calibrated {
            mut run_style,
            observers,
            first,
        } = calibrated;
        let mut logger = run_style.apply(builder).create()?;
        run_style.give_references(&mut logger);
        if goes_on {
            run.probes.already_shown();
        } else {
            run.context.folder.write_config(&run.config)?;
            run_style.keep(&run.context.folder)?;
        }
        run.probes.describe(&run.context.pass, &mut logger);
        Ok(Self {
            first,
            observers,
            logger,
            config: (!goes_on).then(|| run.config.clone()),
            run,
            manifest,
            kept: None,
            last: None,
        })
    }

    /// Draws what the steps so far have in common, while the next one is waited for.
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
        let ended = ended.and_then(|()| self.keep_summary(true));
        // What all parts have in common is drawn once they are done.
        let observers = self.observers.filter(|_| self.run.part.is_none());
        let (summary, ended) = calibration::finish(observers, &mut self.logger, self.last, ended);
        let report = self.run.context.conclude(self.logger, ended, &steps)?;
        Ok(report.with(summary))
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
        self.manifest.leave_out(&file);
        steps.due = steps.due.saturating_sub(1);
        self.run.context.skipped.push(why);
        Ok(())
    }

    /// Keeps what a part found out so far, now and then: it grows with the steps.
    fn keep_summary(&mut self, is_end: bool) -> Result<(), RunError> {
        let is_due = is_end || self.kept.is_none_or(|kept| kept.elapsed() >= KEEP_EVERY);
        if let (Some(part), Some(observers), Some(last)) =
            (self.run.part, &mut self.observers, self.last)
            && is_due
        {
            // So that the manifest has every step that the summary is of.
            self.logger.flush()?;
            part.keep_summary(last, observers.summary())?;
            self.kept = Some(Instant::now());
        }
        Ok(())
    }

    /// One checkpoint's step.
    fn add(&mut self, loaded: LoadedCheckpoint) -> Result<(), RunError> {
        let LoadedCheckpoint {
            file,
            network,
            timings,
            entry,
        } = loaded;
        self.manifest.expect(entry);
        self.last = Some(file.step);
        let mut step = self.logger.step(file.step)?;
        step.set_title(file.name.clone());
        step.record_all(&timings);
        if let Some(config) = self.config.take() {
            step.text("config", as_markdown(&config));
        }
        step.text("checkpoint", format!("`{}`", file.name));
        let mut seen = match self.first.take() {
            Some(first) if first.step == file.step => first.seen,
            _ => self.run.activations(&network, &file.name)?,
        };
        if let Some(observers) = &mut self.observers {
            let network = self.run.observed(&network, &seen, &file.name);
            observers.observe(&mut step, &network)?;
        }
        let CheckpointRun {
            context, probes, ..
        } = &mut self.run;
        probes.log(&mut seen, &context.pass, &network, &mut step)?;
        step.finish();
        self.keep_summary(false)
    }
}
