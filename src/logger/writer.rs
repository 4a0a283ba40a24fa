//! The one thread that writes: steps in order, each once all its values are there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use super::error::LoggerError;
use super::measure::{Measure, MeasureKey};
use super::queue::{Done, Queue};
use super::renderer::{Piece, Renderer};
use super::timings::{Stage, StageTimings};
use crate::device::{Span, guarded};
use tensorboard_events::{EventFile, Summary};

/// What is called after a step was written, with its number and title.
pub(super) type OnWritten = Box<dyn FnMut(i64, &str) + Send>;

/// What becomes of an open step.
pub(super) enum Part {
    /// A value of the step.
    Piece(Result<Piece, LoggerError>),
    /// Time that was spent on the step.
    Took(Stage, Duration),
    /// The step is complete: it is written once all its pieces have come.
    Finished {
        pieces: usize,
        /// Whether it is a step of its own, or more of the one before.
        counted: bool,
        title: String,
        timings: StageTimings,
        /// Work of a device, which is done when all pieces have come.
        spans: Vec<(Stage, Span)>,
    },
}

/// A step on its way to the file. Where its parts end before [`Part::Finished`] it was abandoned, and
/// nothing of it is written.
pub(super) struct PendingStep {
    pub(super) step: i64,
    pub(super) parts: Receiver<Part>,
}

pub(super) enum Job {
    Step(PendingStep),
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

/// Makes an image and sends it.
pub(super) fn make(
    renderer: &Renderer,
    parts: &Sender<Part>,
    tag: String,
    work: impl FnOnce(&Renderer) -> Result<Piece, LoggerError>,
) {
    let made =
        guarded(|| work(renderer)).unwrap_or_else(|why| Err(LoggerError::Panicked { tag, why }));
    // The receiver is gone only where the writer has stopped with an error of its own.
    let _ = parts.send(Part::Piece(made));
}

/// Starts the writing thread.
pub(super) fn start(
    events: EventFile,
    on_written: OnWritten,
    write_timings: bool,
) -> (Queue<Job>, JoinHandle<Result<Logged, LoggerError>>) {
    let (queue, jobs, done) = Queue::new();
    let writer = Writer {
        events,
        on_written,
        logged: Logged::default(),
        write_timings,
        late: None,
        done,
    };
    (queue, spawn(move || writer.run(&jobs)))
}

struct Writer {
    events: EventFile,
    on_written: OnWritten,
    logged: Logged,
    write_timings: bool,
    /// The last step's timings, which are complete only after it was written.
    late: Option<(i64, StageTimings)>,
    done: Done,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) -> Result<Logged, LoggerError> {
        loop {
            let idle = Instant::now();
            match jobs.recv() {
                Ok(Job::Step(pending)) => {
                    self.write(&pending, idle)?;
                    self.done.with_step();
                }
                Ok(Job::Flush(sender)) => {
                    self.events.sync()?;
                    // The other end may be gone, which harms nobody.
                    let _ = sender.send(());
                }
                Err(_) => break,
            }
        }
        self.write_late_timings()?;
        self.logged.bytes = self.events.close()?;
        Ok(self.logged)
    }

    /// Writes a step whole, or nothing of it.
    fn write(&mut self, pending: &PendingStep, idle: Instant) -> Result<(), LoggerError> {
        let Some(Collected {
            counted,
            title,
            mut timings,
            pieces,
        }) = collect(&pending.parts)?
        else {
            return Ok(());
        };
        timings.record(Stage::Waiting, idle.elapsed());
        let step = pending.step;
        let mut summaries: Vec<Summary> = Vec::with_capacity(pieces.len());
        let mut measures: BTreeMap<MeasureKey, Measure> = BTreeMap::new();
        for piece in pieces {
            timings.add(&piece.timings);
            for (key, measure) in piece.measures {
                let so_far = measures.get(&key);
                let both = so_far.map_or(measure, |so_far| so_far.merged(measure));
                measures.insert(key, both);
            }
            if let Some(first) = piece.summaries.first() {
                if piece.one_pixel {
                    self.logged.one_pixel.insert(first.tag.clone());
                }
                if piece.non_finite > 0 && self.logged.non_finite.len() < Logged::MOST_NON_FINITE {
                    let entry = (first.tag.clone(), step, piece.non_finite);
                    self.logged.non_finite.push(entry);
                }
            }
            summaries.extend(piece.summaries);
        }
        let scalars = measures.iter();
        summaries.extend(scalars.flat_map(|(key, measure)| measure.scalars(key)));
        for Summary { tag, .. } in &summaries {
            if !self.logged.tags.contains(tag) {
                self.logged.tags.insert(tag.clone());
            }
        }
        self.write_late_timings()?;
        let writing = Instant::now();
        self.events.write_step(step, summaries)?;
        timings.record(Stage::Write, writing.elapsed());
        self.logged.timings.add(&timings);
        if !counted {
            return Ok(());
        }
        self.logged.steps += 1;
        self.late = self.write_timings.then_some((step, timings));
        (self.on_written)(step, &title);
        Ok(())
    }

    fn write_late_timings(&mut self) -> Result<(), LoggerError> {
        if let Some((step, timings)) = self.late.take() {
            self.events.write_step(step, timings.summaries())?;
        }
        Ok(())
    }
}

/// A whole step.
struct Collected {
    counted: bool,
    title: String,
    timings: StageTimings,
    /// All values in their order.
    pieces: Vec<Piece>,
}

/// Waits for all values of a step; `None` where it was abandoned.
fn collect(parts: &Receiver<Part>) -> Result<Option<Collected>, LoggerError> {
    let mut received = Vec::new();
    let mut finished = None;
    let mut took = StageTimings::default();
    for part in parts {
        match part {
            Part::Piece(piece) => received.push(piece),
            Part::Took(stage, time) => took.record(stage, time),
            Part::Finished {
                pieces,
                counted,
                title,
                timings,
                spans,
            } => finished = Some((pieces, counted, title, timings, spans)),
        }
    }
    let Some((count, counted, title, mut timings, spans)) = finished else {
        return Ok(None);
    };
    let mut pieces = received.into_iter().collect::<Result<Vec<_>, _>>()?;
    timings.add(&took);
    for (stage, span) in spans {
        timings.record(stage, span.took());
    }
    debug_assert_eq!(pieces.len(), count, "every rendering job answers");
    pieces.sort_by_key(|piece| piece.slot);
    Ok(Some(Collected {
        counted,
        title,
        timings,
        pieces,
    }))
}
