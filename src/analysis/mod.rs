//! What is measured at the steps of a run.
//!
//! [`Observers`] runs the comparison images through the network of a step and hands what comes of them, and of the
//! probe images, to each [`Observer`]. How feature maps differ from those of earlier steps (`similarity/LAYER/cosine_…`,
//! `change/…`) is measured by the logger, which has both at hand where they are rendered.
//!
//! # A new measurement
//!
//! 1. A file here, with a type that implements [`Observer`].
//! 2. A field of [`Observers`], whose flag is in `settings/pictures.rs`.
//! 3. Its tags in docs/tags.md, and its scalars in `tags.rs`.

mod calibration;
pub(crate) mod change;
mod channel_sums;
mod charts;
mod columns;
pub(crate) mod compare;
mod comparison_images;
mod error;
mod evolution;
pub(crate) mod figure;
pub(crate) mod grams;
mod health;
mod kernels;
mod observers;
mod pca;
pub(crate) mod probe;
mod representations;
pub(crate) mod similarity;

use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;

use crate::device::all_values;
use crate::logger::{LoggerError, Step};
use crate::network::{ForwardPass, Layer};
use change::Activations;
use columns::Columns;
use tensorboard_events::Summary;

pub(crate) use calibration::Calibration;
pub(crate) use change::{ImageCount, NUMBERS};
pub(crate) use charts::charts;
pub(crate) use comparison_images::{ComparisonImages, Features};
pub(crate) use error::AnalysisError;
use error::asking;
pub(crate) use observers::Observers;
pub(crate) use pca::{BASES, Bases, Components};
pub(crate) use probe::ObservedNetwork;
pub(crate) use representations::GramCollector;

/// What measures something at every step. Its methods are called in this order.
pub(crate) trait Observer {
    fn activations(
        &mut self,
        _at: &Moment<'_, '_>,
        _maps: &LayerMaps<'_>,
    ) -> Result<(), AnalysisError> {
        Ok(())
    }

    /// All activations of a step have come; here are its parameters, and the step to log to.
    fn weights(
        &mut self,
        at: &mut Moment<'_, '_>,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError>;

    fn draw(&self, _step: &mut Step<'_>, _shared: &Shared) -> Result<(), LoggerError> {
        Ok(())
    }
}

pub(crate) struct LayerMaps<'a> {
    pub(crate) pass: &'a ForwardPass,
    pub(crate) images: Images,
    pub(crate) layer: &'a Layer,
    /// In the order of the images, each `[images, channels, height, width]`.
    pub(crate) parts: &'a [Tensor<4>],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Images {
    Probe(usize),
    Comparison,
}

/// Why observers get a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Logged,
    /// It is that of the first step, which an earlier process logged.
    First,
    /// It has a column in images over time; an earlier process logged it.
    Column,
    /// It is that of the step before the next one, which an earlier process logged.
    Previous,
    /// It is that of the last step, whose turn has not come.
    Last,
}

pub(crate) struct Moment<'a, 'l> {
    pub(crate) number: i64,
    pub(crate) role: Role,
    pub(crate) has_column: bool,
    pub(crate) step: Option<&'a mut Step<'l>>,
    pub(crate) shared: &'a mut Shared,
}

pub(crate) struct Shared {
    pub(crate) columns: Columns,
    /// What is known of the activations of the step; grids frame the channels that are never above 0.
    pub(crate) activations: Activations,
    /// The last step, where what it makes of the comparison images is known before its turn comes.
    ahead: Option<i64>,
    /// What representations are compared over: `over 24 comparison images, in one batch`.
    pub(crate) over: String,
    pub(crate) probe: String,
    /// Whether the network takes blue first.
    pub(crate) is_bgr: bool,
}

impl Moment<'_, '_> {
    pub(crate) fn summary(&mut self, summary: Summary) {
        if let Some(step) = &mut self.step {
            step.summary(summary);
        }
    }

    /// What was collected of this step: `now`, or what was `ahead` if it is the last step and was measured before.
    /// `None` where it is put there, until the step's turn comes.
    pub(crate) fn collected<T>(&self, now: T, ahead: &mut Option<T>) -> Option<T> {
        match self.role {
            Role::Last => {
                *ahead = Some(now);
                None
            }
            Role::Logged if self.shared.ahead == Some(self.number) => ahead.take().or(Some(now)),
            _ => Some(now),
        }
    }
}

/// The values of layers' tensors, which may be on several devices; a GPU is asked once.
fn read_all<'a>(
    tensors: impl Iterator<Item = (&'a str, Tensor<1>)>,
) -> Result<Vec<Vec<f32>>, AnalysisError> {
    let (layers, tensors): (Vec<&str>, Vec<Tensor<1>>) = tensors.unzip();
    let (Some(layer), Some(first)) = (layers.first(), tensors.first()) else {
        return Ok(Vec::new());
    };
    let device = first.device();
    let here = tensors
        .iter()
        .map(|tensor| tensor.clone().to_device(&device));
    asking(layer, || all_values(here.collect()))
}

/// Maps, `[1, channels, height, width]`, averaged down to at most `side` pixels.
fn averaged(maps: Tensor<4>, side: usize) -> Tensor<4> {
    let [.., height, width] = maps.dims();
    match height.max(width).div_ceil(side) {
        1 => maps,
        factor => adaptive_avg_pool2d(maps, [height.div_ceil(factor), width.div_ceil(factor)]),
    }
}

/// `conv2_1` of `05_conv2_1`, as people call it; another architecture has it at another place.
pub(crate) fn name_of(tag: &str) -> &str {
    match tag.split_once('_') {
        Some((index, name)) if index.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => tag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_has_the_same_name_in_every_architecture() {
        assert_eq!(name_of("05_conv2_1"), "conv2_1");
        assert_eq!(name_of("layer3_0"), "layer3_0");
        assert_eq!(name_of("encoder"), "encoder");
    }
}
