//! How the weights of the convolutions change from step to step.

use std::collections::BTreeMap;

use super::snapshot::{Compared, Snapshot};
use crate::analysis::change::Summary;
use crate::analysis::figure::KernelBars;
use crate::analysis::probe::ProbeError;
use crate::logger::{LoggerError, Step};
use crate::network::LayerKind;
use crate::network::{ForwardPass, Network};
use feature_grid::Style;
use tensorboard_events::Summary as Scalar;

/// Enlarged to this, kernels of 3 x 3 can be seen. Units: pixels.
const KERNEL_TILE: u32 = 24;

/// The weights of the first step and of the last one, and what happened in between.
#[derive(Default)]
pub(super) struct WeightHistory {
    first: Snapshot,
    previous: Snapshot,
    /// The weights before the optimization step that comes, or came.
    before: Snapshot,
    summary: Summary,
}

impl WeightHistory {
    /// Takes the weights before the first step.
    pub(super) fn start_from(&mut self, first: Snapshot) {
        self.first = first;
    }

    /// Takes the weights of a step that was logged before, which the next one changes; `dead` are the channels
    /// that are dead, by layer.
    pub(super) fn resume_from(
        &mut self,
        previous: Snapshot,
        step: i64,
        dead: &BTreeMap<String, Vec<usize>>,
    ) {
        self.summary.add(step, &[], &[], dead);
        if self.first.is_empty() {
            self.first = previous.clone();
        }
        self.previous = previous;
    }

    /// Takes the weights before an optimization step.
    pub(super) fn before_update(&mut self, before: Snapshot) {
        self.before = before;
    }

    /// Measures a network; `dead` are the channels that are dead, by layer.
    pub(super) fn measure(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        step: &mut Step<'_>,
        is_bgr: bool,
        dead: &BTreeMap<String, Vec<usize>>,
    ) -> Result<(), ProbeError> {
        let now = Snapshot::of(pass, network)?;
        let before = std::mem::take(&mut self.before);
        let compared = now.compare([&self.previous, &self.first, &before])?;
        log_numbers(&compared, pass, step);
        let [changes, from_first, _] = &compared.changes;
        let kernels = network
            .parameters()
            .kernels()
            .cloned()
            .filter(|_| pass.kernels);
        if let (Some(kernels), Some(change)) = (kernels, from_first.first()) {
            let cosines = change
                .filters
                .iter()
                .map(|filter| filter.cosine())
                .collect();
            show_kernels(kernels.dims(), &compared.kernels, cosines, is_bgr, step)?;
        }
        let non_finite = compared.non_finite.iter();
        let non_finite: Vec<_> = non_finite
            .filter(|(_, count)| *count > 0)
            .cloned()
            .collect();
        self.summary.add(step.number(), changes, &non_finite, dead);
        if self.first.is_empty() {
            self.first = now.clone();
        }
        self.previous = now;
        Ok(())
    }

    /// What changed most, and when.
    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Takes up what was found out of the steps so far.
    pub(super) fn take_summary(&mut self, summary: Summary) {
        self.summary = summary;
    }
}

/// The tags of the convolutions that a network was built with.
fn convolutions(pass: &ForwardPass) -> impl Iterator<Item = String> {
    let layers = pass.architecture.all_layers().into_iter();
    layers
        .filter(|layer| layer.kind == LayerKind::Convolution)
        .map(|layer| layer.tag())
}

/// The scalars of weights.
fn log_numbers(compared: &Compared<3>, pass: &ForwardPass, step: &mut Step<'_>) {
    let names = ["to_previous", "to_first", "update_ratio"];
    for (tag, pairs) in convolutions(pass).zip(&compared.nearly_equal) {
        step.scalar(format!("health/{tag}/nearly_equal_kernels"), *pairs);
    }
    for (name, changes) in names.iter().zip(&compared.changes) {
        for (tag, change) in convolutions(pass).zip(changes) {
            let tag = format!("weight_change/{tag}/{name}");
            step.summary(Scalar::scalar(tag, change.whole.relative()));
        }
    }
}

/// The first-layer kernels with their cosines to the first step's.
fn show_kernels(
    shape: [usize; 4],
    values: &[f32],
    cosines: Vec<f64>,
    is_bgr: bool,
    step: &mut Step<'_>,
) -> Result<(), LoggerError> {
    let style = Style {
        min_tile: Some(KERNEL_TILE),
        ..Style::default()
    };
    let tag = "kernels/change";
    let rendered = feature_grid::kernels(values, shape, is_bgr, &style).map_err(|source| {
        LoggerError::Render {
            tag: tag.to_owned(),
            source,
        }
    })?;
    let bars = KernelBars {
        tiles: rendered.singles().collect(),
        cosines,
    };
    step.describe(tag, "**first-layer kernels**, under each its cosine to itself at the first step: a full green bar is 1, a short red one 0 or less");
    step.image(tag, &bars.picture())
}
