//! The one thread that writes: steps in order, each once all its pictures are there.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{JoinHandle, spawn};
use std::time::Instant;

use super::RunError;
use super::pictures::{Done, PictureError};
use super::report::Progress;
use super::timings::{Laps, Stage};
use crate::events::{EventFile, Summary};

/// Steps that may wait between the forward pass and the file. Each holds all its feature maps, so
/// this bounds memory; one is enough to keep both sides busy.
const WAITING_STEPS: usize = 1;

/// A step on its way to the file.
pub(super) struct PendingStep {
    pub(super) step: i64,
    /// What to call it on the terminal.
    pub(super) title: String,
    /// Its pictures as they get ready, in any order; ends when all have come.
    pub(super) pictures: Receiver<Result<Done, PictureError>>,
}

enum Job {
    Step(PendingStep),
    /// Tells when everything before it is in the file.
    Flush(Sender<()>),
}

/// The writing thread and the way to it.
pub(super) struct Writer {
    steps: SyncSender<Job>,
    thread: JoinHandle<Result<Progress, RunError>>,
}

/// The writer has stopped; joining it says why.
#[derive(Debug)]
pub(super) struct WriterStopped;

impl Writer {
    /// Starts the thread. `progress` is told about every step that is in the file.
    pub(super) fn start(events: EventFile, progress: Progress, write_timings: bool) -> Self {
        let (steps, received) = sync_channel(WAITING_STEPS);
        let thread = spawn(move || {
            Task {
                events,
                progress,
                write_timings,
                late: Vec::new(),
            }
            .run(&received)
        });
        Self { steps, thread }
    }

    /// Hands over the next step, waiting while the writer is behind.
    pub(super) fn push(&self, step: PendingStep) -> Result<(), WriterStopped> {
        self.steps.send(Job::Step(step)).map_err(|_| WriterStopped)
    }

    /// Waits until every step that was handed over is in the file.
    pub(super) fn flush(&self) -> Result<(), WriterStopped> {
        let (sender, done) = channel();
        self.steps
            .send(Job::Flush(sender))
            .map_err(|_| WriterStopped)?;
        done.recv().map_err(|_| WriterStopped)
    }

    /// Waits until everything is in the file and ends the thread.
    pub(super) fn finish(self) -> Result<Progress, RunError> {
        drop(self.steps);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(RunError::Crashed))
    }
}

struct Task {
    events: EventFile,
    progress: Progress,
    write_timings: bool,
    /// The last step's timings, which are whole only after it was written.
    late: Vec<(i64, Laps)>,
}

impl Task {
    fn run(mut self, steps: &Receiver<Job>) -> Result<Progress, RunError> {
        loop {
            let idle = Instant::now();
            match steps.recv() {
                Ok(Job::Step(pending)) => self.write(pending, idle)?,
                // Whoever asked may have gone.
                Ok(Job::Flush(sender)) => drop(sender.send(())),
                Err(_) => break,
            }
        }
        self.write_late_timings()?;
        let bytes = self.events.close()?;
        Ok(self.progress.closed(bytes))
    }

    fn write(&mut self, pending: PendingStep, idle: Instant) -> Result<(), RunError> {
        let mut laps = Laps::default();
        let mut pictures = Vec::new();
        for done in pending.pictures {
            let done = done?;
            laps.add(&done.laps);
            pictures.push(done);
        }
        laps.record(Stage::Waiting, idle.elapsed());
        pictures.sort_by_key(|done| done.slot);
        self.progress.saw(pending.step, &pictures);
        let summaries: Vec<Summary> = pictures
            .into_iter()
            .flat_map(|done| done.summaries)
            .collect();

        self.write_late_timings()?;
        let writing = Instant::now();
        let tags = summaries
            .iter()
            .map(|summary| summary.tag.clone())
            .collect();
        self.events.write_step(pending.step, summaries)?;
        laps.record(Stage::Write, writing.elapsed());
        if self.write_timings {
            self.late.push((pending.step, laps));
        }
        self.progress.wrote(tags, &pending.title, &laps);
        Ok(())
    }

    fn write_late_timings(&mut self) -> Result<(), RunError> {
        for (step, laps) in self.late.drain(..) {
            self.events.write_step(step, laps.summaries())?;
        }
        Ok(())
    }
}
