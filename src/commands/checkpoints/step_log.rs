//! The steps of a run as they come: each network is looked at, compared, shown, and noted in the manifest.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::calibrate::{Calibrated, observed};
use super::loading::Loaded;
use super::manifest::{Entry, Writer};
use super::split::Split;
use crate::analysis::Observers;
use crate::analysis::probe::{ProbeActivations, ProbeImages};
use crate::commands::calibration;
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::run::{self, Steps};
use crate::commands::run_folder::RunFolder;
use crate::data::checkpoints::Checkpoint;
use crate::data::on_error::OnError;
use crate::logger::{Builder, FeatureLogger, StageTimings};
use crate::network::{ForwardPass, Network};
use crate::one_line::one_line;

/// After so long without a new checkpoint, the pictures over time are drawn.
const IDLE: Duration = Duration::from_secs(3);

/// A part that is killed makes so much again.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// How far the steps came.
pub(super) struct Shown {
    pub(super) logger: FeatureLogger,
    /// What ended them early, if anything did.
    pub(super) ended: Result<(), RunError>,
    /// What is said about them at the end.
    pub(super) summary: Vec<String>,
}

/// What the steps are written with.
pub(super) struct StepLog<'a> {
    pass: &'a ForwardPass,
    probes: ProbeImages,
    /// What the checkpoint of a step that is to come has seen in them.
    seen: Option<(i64, ProbeActivations)>,
    observers: Option<Observers>,
    logger: FeatureLogger,
    /// Written with the first step.
    config: Option<String>,
    manifest: Writer,
    split: Option<&'a Split>,
    /// When it was noted what a part found out.
    kept: Option<Instant>,
    /// The number of the last step.
    last: Option<i64>,
}

impl<'a> StepLog<'a> {
    /// Opens the event file of a new run, or one more of a run that goes on.
    pub(super) fn open(
        builder: Builder,
        calibrated: Calibrated,
        (pass, mut probes): (&'a ForwardPass, ProbeImages),
        (folder, config, goes_on): (&RunFolder, String, bool),
        (manifest, split): (Writer, Option<&'a Split>),
    ) -> Result<Self, RunError> {
        let Calibrated {
            mut settled,
            observers,
            seen,
        } = calibrated;
        let mut logger = settled.apply(builder).create()?;
        settled.give_references(&mut logger);
        if goes_on {
            probes.already_shown();
        } else {
            folder.write_config(&config)?;
            settled.keep(folder)?;
        }
        probes.describe(pass, &mut logger);
        Ok(Self {
            pass,
            probes,
            seen,
            observers,
            logger,
            config: (!goes_on).then_some(config),
            manifest,
            split,
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
        networks: &Receiver<Loaded>,
        (on_error, follows): (OnError, bool),
        steps: &mut Steps,
        skipped: &mut Vec<String>,
        context: &Context,
    ) -> Shown {
        let (mut ended, mut taken) = (Ok(()), 0);
        while ended.is_ok() && !context.interrupt.is_requested() {
            ended = match networks.recv_timeout(IDLE) {
                Ok((file, Ok((network, timings, entry)))) => {
                    taken += 1;
                    self.add(&file, &network, &timings, entry)
                }
                Ok((file, Err(error))) if on_error == OnError::Skip => {
                    let why = one_line(&error);
                    if follows {
                        context.terminal.note(&format!("left out: {why}"));
                    }
                    self.manifest.leave_out(&file);
                    steps.due = steps.due.saturating_sub(1);
                    skipped.push(why);
                    Ok(())
                }
                Ok((_, Err(error))) => Err(error),
                Err(RecvTimeoutError::Timeout) if follows => self.draw_now(),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
        }
        if follows {
            // How many come, nobody knew.
            steps.due = taken;
        }
        let ended = ended.and_then(|()| self.keep_summary(true));
        // What all parts have in common is drawn once they are done.
        let observers = self.observers.filter(|_| self.split.is_none());
        let (summary, ended) = calibration::finish(observers, &mut self.logger, self.last, ended);
        Shown {
            logger: self.logger,
            ended,
            summary,
        }
    }

    /// Keeps what a part found out so far, now and then: it grows with the steps.
    fn keep_summary(&mut self, is_end: bool) -> Result<(), RunError> {
        let is_due = is_end || self.kept.is_none_or(|kept| kept.elapsed() >= KEEP_EVERY);
        if let (Some(split), Some(observers), Some(last)) = (self.split, &self.observers, self.last)
            && is_due
        {
            split.keep_summary(last, observers.summary())?;
            self.kept = Some(Instant::now());
        }
        Ok(())
    }

    /// One checkpoint's step.
    fn add(
        &mut self,
        file: &Checkpoint,
        network: &dyn Network,
        timings: &StageTimings,
        entry: Entry,
    ) -> Result<(), RunError> {
        self.manifest.expect(entry);
        let (pass, name) = (self.pass, &file.name);
        self.last = Some(file.step);
        let mut step = self.logger.step(file.step)?;
        step.set_title(name.clone());
        step.record_all(timings);
        if let Some(config) = self.config.take() {
            step.text("config", run::as_markdown(&config));
        }
        step.text("checkpoint", format!("`{name}`"));
        let mut seen = match self.seen.take() {
            Some((step, seen)) if step == file.step => seen,
            _ => self.probes.run(pass, network, name)?,
        };
        if let Some(observers) = &mut self.observers {
            observers.observe(&mut step, &observed(pass, network, &seen, name))?;
        }
        self.probes.log(&mut seen, pass, network, &mut step)?;
        step.finish();
        self.keep_summary(false)
    }
}
