//! The one thread that writes: steps in order, each once all its values are there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use super::error::LoggerError;
use super::piece::{Measure, MeasureKey, Part, Piece};
use super::queue::Queue;
use super::timings::{Stage, StageTimings};
use crate::tags::{Scalars, description};
use tensorboard_events::{EventFile, Position, Summary, Value};

/// Steps are put on the disk together so often: of a power failure so much is lost.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What is called after a step was written, with its number and title.
pub(super) type OnWritten = Box<dyn FnMut(i64, &str) + Send>;

/// What is called after a step is on the disk, with its number and the place behind it.
pub(super) type OnDurable = Box<dyn FnMut(i64, Position) + Send>;

pub(super) enum Order {
    /// A step, and its parts: where these end before [`Part::Finished`] it was abandoned, and nothing of it is written.
    Step(i64, Receiver<Part>),
    /// Answers when everything before it is on the disk.
    Flush(Sender<()>),
}

/// What a logger wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// Steps in the event file.
    pub steps: u64,
    /// Tags with at least one value.
    pub tags: BTreeSet<String>,
    /// Size of the event file, in bytes.
    pub bytes: u64,
    /// Tags with NaN or infinite values: tag, step, how many. At most [`Logged::MOST_NON_FINITE`].
    pub non_finite: Vec<(String, i64, usize)>,
    /// Tags whose maps are one pixel each, so that they share the range of their layer
    /// ([`Range::Layer`](feature_grid::Range::Layer)) where each should have had its own.
    pub one_pixel: BTreeSet<String>,
    /// Where the time went.
    pub timings: StageTimings,
}

impl Logged {
    /// The most entries of [`non_finite`](Self::non_finite); later ones are not kept.
    pub const MOST_NON_FINITE: usize = 6;
}

pub(super) fn start(
    events: EventFile,
    written: Option<OnWritten>,
    durable: Option<OnDurable>,
    scalars: Scalars,
    write_timings: bool,
) -> (Queue<Order>, JoinHandle<Result<Logged, LoggerError>>) {
    let (queue, jobs, done) = Queue::new();
    let writer = Writer {
        events,
        written,
        durable,
        logged: Logged::default(),
        scalars,
        write_timings,
        late: None,
        unsynced: Vec::new(),
        synced: Instant::now(),
    };
    (queue, spawn(move || writer.run(&jobs, &done)))
}

struct Writer {
    events: EventFile,
    written: Option<OnWritten>,
    durable: Option<OnDurable>,
    logged: Logged,
    scalars: Scalars,
    write_timings: bool,
    /// The last step's timings, which are complete only after it was written.
    late: Option<(i64, StageTimings)>,
    unsynced: Vec<(i64, Position)>,
    synced: Instant,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Order>, done: &Sender<()>) -> Result<Logged, LoggerError> {
        loop {
            let idle = Instant::now();
            match jobs.recv_timeout(SYNC_EVERY) {
                Ok(Order::Step(step, parts)) => {
                    self.write(step, &parts, idle)?;
                    if self.synced.elapsed() >= SYNC_EVERY {
                        self.sync_steps()?;
                    }
                    // Nobody waits for room any more.
                    let _ = done.send(());
                }
                Ok(Order::Flush(sender)) => {
                    self.sync()?;
                    // Nobody waits any more.
                    let _ = sender.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.sync_steps()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.write_late_timings()?;
        self.sync()?;
        self.logged.bytes = self.events.bytes_written();
        Ok(self.logged)
    }

    /// Puts the steps on the disk, where somebody wants to know.
    fn sync_steps(&mut self) -> Result<(), LoggerError> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        self.sync()
    }

    fn sync(&mut self) -> Result<(), LoggerError> {
        self.events.sync()?;
        self.synced = Instant::now();
        if let Some(durable) = &mut self.durable {
            for (step, position) in self.unsynced.drain(..) {
                durable(step, position);
            }
        }
        Ok(())
    }

    /// Waits for all values of a step and writes it whole; nothing of one that was abandoned.
    fn write(
        &mut self,
        step: i64,
        parts: &Receiver<Part>,
        idle: Instant,
    ) -> Result<(), LoggerError> {
        let (mut pieces, mut finished) = (Vec::new(), None);
        let mut timings = StageTimings::default();
        for part in parts {
            match part {
                Part::Piece(piece) => pieces.push(piece),
                Part::Finished(whole) => finished = Some(whole),
            }
        }
        let Some(whole) = finished else {
            return Ok(());
        };
        let mut pieces = pieces.into_iter().collect::<Result<Vec<_>, _>>()?;
        debug_assert_eq!(pieces.len(), whole.pieces, "every rendering job answers");
        pieces.sort_by_key(|piece| piece.slot);
        timings.add(&whole.timings);
        for (stage, span) in &whole.spans {
            timings.record(*stage, span.took());
        }
        timings.record(Stage::Waiting, idle.elapsed());
        let summaries = self.put_together(step, pieces, &mut timings);
        self.write_late_timings()?;
        let writing = Instant::now();
        self.events.write_step(step, summaries)?;
        timings.record(Stage::Write, writing.elapsed());
        self.logged.timings.add(&timings);
        if whole.counted {
            self.logged.steps += 1;
            self.late = self.write_timings.then_some((step, timings));
            if let Some(written) = &mut self.written {
                written(step, &whole.title);
            }
            if self.durable.is_some() {
                self.unsynced.push((step, self.events.position()));
            }
        }
        Ok(())
    }

    fn put_together(
        &mut self,
        step: i64,
        pieces: Vec<Piece>,
        timings: &mut StageTimings,
    ) -> Vec<Summary> {
        let mut summaries: Vec<Summary> = Vec::with_capacity(pieces.len());
        let mut measures: BTreeMap<MeasureKey, Measure> = BTreeMap::new();
        let logged = &mut self.logged;
        for piece in pieces {
            timings.add(&piece.timings);
            if let Some((key, measure)) = piece.measure {
                let so_far = measures.get(&key);
                let both = so_far.map_or(measure, |so_far| so_far.merged(measure));
                measures.insert(key, both);
            }
            let Some(summary) = piece.summary else {
                continue;
            };
            if piece.one_pixel {
                logged.one_pixel.insert(summary.tag.clone());
            }
            if piece.non_finite > 0 && logged.non_finite.len() < Logged::MOST_NON_FINITE {
                let entry = (summary.tag.clone(), step, piece.non_finite);
                logged.non_finite.push(entry);
            }
            summaries.push(summary);
        }
        let scalars = measures.iter();
        summaries.extend(scalars.flat_map(|(key, measure)| measure.scalars(key)));
        let are = self.scalars;
        summaries.retain(|Summary { tag, value, .. }| match value {
            Value::Scalar(value) => are.include(tag, *value),
            Value::Histogram(_) => are.include_histogram(tag),
            _ => true,
        });
        for summary in &mut summaries {
            if !logged.tags.contains(&summary.tag) {
                logged.tags.insert(summary.tag.clone());
                if summary.description.is_empty() {
                    summary.description = description(&summary.tag);
                }
            }
        }
        summaries
    }

    fn write_late_timings(&mut self) -> Result<(), LoggerError> {
        if let Some((step, timings)) = self.late.take() {
            self.events.write_step(step, timings.summaries())?;
        }
        Ok(())
    }
}
