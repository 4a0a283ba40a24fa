//! The threads of a loader: one deals, some prepare, one puts together.

use std::any::Any;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::super::order::Position;
use super::problem::Unreadable;
use super::{Done, Prepared};
use crate::input::load::LoadError;

/// Batches that wait for the assembler, beside the one that it has in hand: two in all.
const WAITING_BATCHES: usize = 1;

/// A batch that is to be made.
pub(super) struct Dealt {
    pub(super) at: Position,
    pub(super) after: Position,
    pub(super) samples: Vec<usize>,
}

/// A batch whose samples are on their way.
pub(super) struct Pending {
    pub(super) dealt: Dealt,
    /// Each sample with its place in the batch, in any order; ends when all have come.
    pub(super) done: Receiver<(usize, Done)>,
}

/// One sample that is to be made ready.
struct Job {
    at: Position,
    sample: usize,
    /// Its place in the batch.
    place: usize,
    done: Sender<(usize, Done)>,
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
        dealt: impl Iterator<Item = Dealt> + Send + 'static,
        prepare: impl Fn(Position, usize) -> Result<Prepared, LoadError> + Send + Sync + 'static,
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
        let dealer = move || deal(dealt, &pending_sender, &job_sender);
        running.push(named("deal").spawn(dealer)?);
        Ok(Self { stop, running })
    }

    /// Waits until all have ended, each after the image that it has in hand. What they send must
    /// have no receiver any more.
    pub(super) fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            // Panics are caught where they are; one that was not has closed its channel.
            let _ = thread.join();
        }
    }
}

fn named(name: &str) -> Builder {
    Builder::new().name(name.to_owned())
}

/// Starts batch after batch, waiting while there are enough.
fn deal(batches: impl Iterator<Item = Dealt>, pending: &SyncSender<Pending>, jobs: &Sender<Job>) {
    for dealt in batches {
        let (sender, done) = channel();
        let at = dealt.at;
        let samples = dealt.samples.clone();
        if pending.send(Pending { dealt, done }).is_err() {
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
    prepare: &impl Fn(Position, usize) -> Result<Prepared, LoadError>,
) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| prepare(job.at, job.sample)))
            .map_err(|payload| Unreadable::Crashed(first_line(payload.as_ref())))
            .and_then(|prepared| prepared.map_err(Unreadable::Image));
        // The assembler has given up; it has said why.
        let _ = job.done.send((job.place, prepared));
    }
}

fn first_line(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    let line = text.and_then(|text| text.lines().next());
    line.unwrap_or("unknown cause").trim().to_owned()
}
