//! The threads of a loader: one schedules, some prepare, one assembles.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::batch::SampleResult;
use crate::data::labeled::order::Position;

/// Batches that wait for the assembler, besides the one that it assembles: two in all.
const WAITING_BATCHES: usize = 1;

/// A batch to be made.
pub(super) struct BatchSpec {
    pub(super) at: Position,
    pub(super) after: Position,
    pub(super) samples: Vec<usize>,
}

/// A batch whose samples are on their way.
pub(super) struct Pending {
    pub(super) spec: BatchSpec,
    /// Each sample with its place in the batch, in any order; ends when all have come.
    pub(super) done: Receiver<(usize, SampleResult)>,
}

/// One sample to be prepared.
struct Job {
    at: Position,
    sample: usize,
    place: usize,
    done: Sender<(usize, SampleResult)>,
}

/// The threads, and the way to end them.
#[derive(Debug)]
pub(super) struct Threads {
    stop: Arc<AtomicBool>,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts them. Those that run already end by themselves when one does not start: their
    /// channels close.
    pub(super) fn start(
        workers: NonZeroUsize,
        specs: impl Iterator<Item = BatchSpec> + Send + 'static,
        prepare: impl Fn(Position, usize) -> SampleResult + Send + Sync + 'static,
        assemble: impl FnOnce(Receiver<Pending>) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (job_sender, jobs) = channel();
        let (pending_sender, pending) = sync_channel(WAITING_BATCHES);
        let jobs = Arc::new(Mutex::new(jobs));
        let prepare = Arc::new(prepare);
        let mut running = Vec::with_capacity(workers.get().saturating_add(2));
        for _ in 0..workers.get() {
            let (jobs, prepare) = (Arc::clone(&jobs), Arc::clone(&prepare));
            let stop = Arc::clone(&stop);
            let worker = move || work(&jobs, &stop, prepare.as_ref());
            running.push(named("load").spawn(worker)?);
        }
        running.push(named("assemble").spawn(move || assemble(pending))?);
        let scheduler = move || schedule(specs, &pending_sender, &job_sender);
        running.push(named("schedule").spawn(scheduler)?);
        Ok(Self { stop, running })
    }

    /// Waits until all have ended, each after its current image. What they send must
    /// have no receiver any more. False where one of them panicked.
    pub(super) fn end(&mut self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.running.drain(..).map(JoinHandle::join);
        ended.filter(Result::is_err).count() == 0
    }
}

fn named(name: &str) -> Builder {
    Builder::new().name(name.to_owned())
}

/// Starts batch after batch, waiting while there are enough.
fn schedule(
    batches: impl Iterator<Item = BatchSpec>,
    pending: &SyncSender<Pending>,
    jobs: &Sender<Job>,
) {
    for spec in batches {
        let (sender, done) = channel();
        let at = spec.at;
        let samples = spec.samples.clone();
        if pending.send(Pending { spec, done }).is_err() {
            return;
        }
        for (place, sample) in samples.into_iter().enumerate() {
            let job = Job {
                at,
                sample,
                place,
                done: sender.clone(),
            };
            if jobs.send(job).is_err() {
                return;
            }
        }
    }
}

fn work(
    jobs: &Mutex<Receiver<Job>>,
    stop: &AtomicBool,
    prepare: &impl Fn(Position, usize) -> SampleResult,
) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        // The assembler may have ended; it has reported why.
        let _ = job.done.send((job.place, prepare(job.at, job.sample)));
    }
}
