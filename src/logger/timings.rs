//! Where a step's time goes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tensorboard_events::Summary;

/// The stages of a step, in the order in which data passes them. They overlap, and rendering and
/// encoding run on several threads, so they add up to more than the step took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading weights and moving them to the device.
    Load,
    /// Decoding and preparing images.
    Decode,
    /// An optimization step.
    Train,
    /// The forward pass.
    Forward,
    /// Feature maps from the device to the host.
    Copy,
    /// Comparing values with those of earlier steps, and what else is computed from them.
    Measure,
    /// Feature maps to a grid of pixels.
    Render,
    /// Grid to PNG.
    Encode,
    /// Framing and writing to the event file.
    Write,
    /// The writer waiting for the step's images.
    Waiting,
}

const STAGES: [(Stage, &str); 10] = [
    (Stage::Load, "load"),
    (Stage::Decode, "decode"),
    (Stage::Train, "train"),
    (Stage::Forward, "forward"),
    (Stage::Copy, "copy"),
    (Stage::Measure, "measure"),
    (Stage::Render, "render"),
    (Stage::Encode, "encode"),
    (Stage::Write, "write"),
    (Stage::Waiting, "waiting"),
];

/// Time spent in each stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimings([Duration; STAGES.len()]);

impl StageTimings {
    /// Adds time to a stage.
    pub fn record(&mut self, stage: Stage, time: Duration) {
        self.0[stage as usize] += time;
    }

    /// Runs `work` and adds its time to `stage`.
    pub fn time<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.record(stage, start.elapsed());
        result
    }

    /// Adds every stage of `other`.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    pub(super) fn summaries(&self) -> Vec<Summary> {
        STAGES
            .map(|(stage, name)| {
                let milliseconds = self.0[stage as usize].as_secs_f32() * 1e3;
                Summary::scalar(format!("timings/{name}_ms"), milliseconds)
            })
            .to_vec()
    }

    /// The mean of each stage over `steps` steps, in a line.
    pub fn table(&self, steps: u64) -> String {
        let mut text = String::from("milliseconds a step (stages overlap):");
        for (stage, name) in STAGES {
            let mean = self.0[stage as usize].as_secs_f64() * 1e3 / steps.max(1) as f64;
            // Writing to a String cannot fail.
            let _ = write!(text, "  {name} {mean:.1}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_add_up_by_stage() {
        let mut timings = StageTimings::default();
        timings.record(Stage::Render, Duration::from_millis(3));
        timings.record(Stage::Render, Duration::from_millis(4));
        let mut sum = StageTimings::default();
        sum.add(&timings);
        sum.add(&timings);
        assert!(sum.table(2).contains("render 7.0"), "{}", sum.table(2));
        assert!(sum.table(2).contains("write 0.0"));
        let tags: Vec<String> = sum.summaries().into_iter().map(|s| s.tag).collect();
        assert_eq!(tags.len(), 10);
        assert_eq!(tags[6], "timings/render_ms");
    }
}
