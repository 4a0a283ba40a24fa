//! A run that several processes make a part of each: what each passes on, and what is drawn once all are done.

use super::{DRAWN_EVERY, Sweep};
use crate::change::Summary;
use crate::logger::FeatureLogger;
use crate::probe::{Capture, ProbeError, Seen};
use crate::vgg::Vgg;

impl Sweep {
    /// What was found out of the weights of the steps so far.
    pub(crate) fn summary(&self) -> &Summary {
        self.weights.summary()
    }

    /// Takes up what was found out of the weights of the steps so far.
    pub(crate) fn take_summary(&mut self, summary: Summary) {
        self.weights.take_summary(summary);
    }

    /// Whether the step at a place among all has a column in the pictures over time.
    pub(crate) fn has_column(&self, place: usize) -> bool {
        self.columns.at(place) != super::Column::None
    }

    /// Takes the network of a step that is in an earlier event file, at its place among all steps, and draws the
    /// pictures over time where a process that makes the whole run does.
    pub(crate) fn see_again(
        &mut self,
        place: usize,
        (capture, vgg, seen): (&Capture, &Vgg, &Seen),
        (step, what): (i64, &str),
        logger: &mut FeatureLogger,
    ) -> Result<(), ProbeError> {
        self.steps = place;
        self.see(capture, vgg, seen, (step, what))?;
        if self.columns.is_due(place, DRAWN_EVERY) {
            self.draw_now(logger, step)?;
        }
        Ok(())
    }
}
