//! What changes in the weights of the convolutions from step to step, and what of it is worth saying at the end.

mod events;
mod found;
mod json;
mod layer;
mod lines;
mod on_device;
mod overview;
mod snapshot;
mod summary;

use tensorboard_events::Summary as Scalar;

use super::{AnalysisError, Moment, ObservedNetwork, Observer, Role, Shared, kernels};
use crate::device::PairSums;
use crate::logger::{LoggerError, Step};

pub(crate) use events::{Kind, of_filters};
pub(crate) use found::{Activations, Change, Found, ImageCount, Inactive};
pub(crate) use json::NUMBERS;
pub(crate) use layer::{LayerChange, LayerWeights, are_same};
use snapshot::{FirstLinears, Snapshot};
pub(crate) use summary::Summary;

#[derive(Default)]
pub(super) struct WeightChange {
    first: Snapshot,
    first_linears: FirstLinears,
    previous: Snapshot,
    /// The weights before the optimization step that comes, or came.
    before: Snapshot,
    pub(super) summary: Summary,
    pub(super) latest: Found,
}

impl WeightChange {
    pub(super) fn before_update(
        &mut self,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        self.before = Snapshot::of(network)?;
        Ok(())
    }

    fn measure(
        &mut self,
        at: &mut Moment<'_, '_>,
        network: &ObservedNetwork<'_>,
        now: &Snapshot,
    ) -> Result<(), AnalysisError> {
        let before = std::mem::take(&mut self.before);
        let compared = now.compare([&self.previous, &self.first, &before])?;
        let parameters = network.network.parameters();
        let convolutions = || parameters.convolutions().map(|of| of.layer.tag());
        for (tag, pairs) in convolutions().zip(&compared.nearly_equal) {
            let tag = format!("health/{tag}/nearly_equal_kernels");
            at.summary(Scalar::scalar(tag, *pairs));
        }
        let names = ["to_previous", "to_first", "update_ratio"];
        let has_ratio = !compared.changes[2].is_empty();
        for (name, changes) in names.iter().zip(&compared.changes) {
            // One after every optimization step, these are the same.
            if has_ratio && *name == "to_previous" {
                continue;
            }
            // Of weights that are not finite nothing is known.
            let changes = changes.iter().map(|change| change.whole.relative());
            let known = convolutions().zip(changes).filter(|(_, by)| !by.is_nan());
            for (tag, by) in known {
                let tag = format!("weight_change/{tag}/{name}");
                at.summary(Scalar::scalar(tag, by));
            }
        }
        let [changes, from_first, updates] = &compared.changes;
        if let Some(change) = from_first.first() {
            let cosines: Vec<f64> = change.filters.iter().map(PairSums::cosine).collect();
            kernels::log_change(at, network, &cosines)?;
        }
        let changes: [&[_]; 3] = [changes, from_first, updates];
        self.latest = Found {
            rest: self.first_linears.compare(&parameters)?,
            activations: at.shared.activations.clone(),
            ..Found::new(at.number, changes, compared.non_finite)
        };
        self.summary.add(self.latest.clone());
        Ok(())
    }
}

impl Observer for WeightChange {
    fn weights(
        &mut self,
        at: &mut Moment<'_, '_>,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        if let Role::Column | Role::Last = at.role {
            return Ok(());
        }
        let now = Snapshot::of(network)?;
        if at.role == Role::Logged {
            self.measure(at, network, &now)?;
        }
        if at.role == Role::First || self.first.is_empty() {
            self.first = now.clone();
            self.first_linears.set(&network.network.parameters());
        }
        if at.role != Role::First {
            self.previous = now;
        }
        Ok(())
    }

    fn draw(&self, step: &mut Step<'_>, _: &Shared) -> Result<(), LoggerError> {
        self.summary.draw(step);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
