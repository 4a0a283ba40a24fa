//! A run that several processes make, one after the other or a part each: what one passes on, and what is drawn of the
//! steps of others.

use super::columns::Column;
use super::{DRAWN_EVERY, Sweep};
use crate::analysis::change::Summary;
use crate::analysis::probe::{ProbeActivations, ProbeError};
use crate::logger::FeatureLogger;
use crate::network::ForwardPass;
use crate::network::vgg::Vgg;

impl Sweep {
    /// What was found out of the weights of the steps so far.
    pub(crate) fn summary(&self) -> &Summary {
        self.weights.summary()
    }

    /// Takes up what was found out of the weights of the steps so far.
    pub(crate) fn take_summary(&mut self, summary: Summary) {
        self.weights.take_summary(summary);
    }

    /// Whether the step at a place among all is known to have a column in the pictures over time.
    pub(crate) fn has_column(&self, place: usize) -> bool {
        self.columns.at(place) == Column::Kept && self.columns.is_known()
    }

    /// Says at which place among all the next step is, where it is known how many there are.
    pub(crate) fn go_on_at(&mut self, place: usize) {
        if self.columns.is_known() {
            self.steps = place;
        }
    }

    /// Takes the network of a step that is in an earlier event file into the pictures over time, at its place among
    /// all steps.
    pub(crate) fn see_at(
        &mut self,
        place: usize,
        (pass, network, seen): (&ForwardPass, &Vgg, &ProbeActivations),
        what: (i64, &str),
    ) -> Result<(), ProbeError> {
        self.steps = place;
        self.see(pass, network, seen, what)
    }

    /// The same, and draws the pictures over time where a process that makes the whole run does.
    pub(crate) fn see_again(
        &mut self,
        place: usize,
        of_network: (&ForwardPass, &Vgg, &ProbeActivations),
        (step, what): (i64, &str),
        logger: &mut FeatureLogger,
    ) -> Result<(), ProbeError> {
        self.see_at(place, of_network, (step, what))?;
        if self.columns.is_due(place, DRAWN_EVERY) {
            self.draw_now(logger, step)?;
        }
        Ok(())
    }
}
