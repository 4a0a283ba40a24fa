//! Where a step's time goes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::events::Summary;

/// The stages of a step, in the order data goes through them. They overlap, and rendering and
/// encoding run on several threads, so they add up to more than the step took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Reading weights and putting them on the device.
    Load,
    /// Decoding and preparing images.
    Decode,
    /// An optimisation step.
    Train,
    /// The forward pass.
    Forward,
    /// Feature maps from the device to the host.
    Copy,
    /// Floats to grey levels to a grid.
    Render,
    /// Grid to PNG.
    Encode,
    /// Framing and writing to the event file.
    Write,
    /// The writer waiting for the step's pictures.
    Waiting,
}

impl Stage {
    const ALL: [Self; 9] = [
        Self::Load,
        Self::Decode,
        Self::Train,
        Self::Forward,
        Self::Copy,
        Self::Render,
        Self::Encode,
        Self::Write,
        Self::Waiting,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Decode => "decode",
            Self::Train => "train",
            Self::Forward => "forward",
            Self::Copy => "copy",
            Self::Render => "render",
            Self::Encode => "encode",
            Self::Write => "write",
            Self::Waiting => "waiting",
        }
    }
}

/// Time spent in each stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Laps([Duration; Stage::ALL.len()]);

impl Laps {
    /// Adds time to a stage.
    pub(super) fn record(&mut self, stage: Stage, time: Duration) {
        self.0[stage as usize] += time;
    }

    /// Runs `work` and adds its time to `stage`.
    pub(super) fn time<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.record(stage, start.elapsed());
        result
    }

    /// Adds every stage of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// The stages as scalars, in milliseconds.
    pub(super) fn summaries(&self) -> Vec<Summary> {
        Stage::ALL
            .iter()
            .map(|stage| {
                let milliseconds = self.0[*stage as usize].as_secs_f32() * 1e3;
                Summary::scalar(format!("timings/{}_ms", stage.name()), milliseconds)
            })
            .collect()
    }

    /// A table of the mean over `steps` steps.
    pub(super) fn table(&self, steps: u64) -> String {
        let mut text = String::from("milliseconds a step (stages overlap):");
        for stage in Stage::ALL {
            #[expect(
                clippy::cast_precision_loss,
                reason = "shown to a tenth of a millisecond"
            )]
            let mean = self.0[stage as usize].as_secs_f64() * 1e3 / steps.max(1) as f64;
            // Writing to a String cannot fail.
            let _ = write!(text, "  {} {mean:.1}", stage.name());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_add_up_by_stage() {
        let mut laps = Laps::default();
        laps.record(Stage::Render, Duration::from_millis(3));
        laps.record(Stage::Render, Duration::from_millis(4));
        let mut sum = Laps::default();
        sum.add(&laps);
        sum.add(&laps);
        assert!(sum.table(2).contains("render 7.0"), "{}", sum.table(2));
        assert!(sum.table(2).contains("write 0.0"));
        let tags: Vec<String> = sum.summaries().into_iter().map(|s| s.tag).collect();
        assert_eq!(tags.len(), 9);
        assert_eq!(tags[5], "timings/render_ms");
    }
}
