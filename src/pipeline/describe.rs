//! The text beside every picture in TensorBoard: what it shows and how to read it.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::config::range_word;
use crate::input::transform::{ChannelOrder, Preprocess};
use crate::render::{Range, Rendered, Style};
use crate::vgg::{Arch, Layer};

/// What the weights are called in descriptions; may still be worked out by another thread.
pub(super) struct WeightsLabel(LazyLock<String, Box<dyn FnOnce() -> String + Send>>);

impl WeightsLabel {
    /// A label that is known.
    pub(super) fn known(label: String) -> Self {
        Self(LazyLock::new(Box::new(move || label)))
    }

    /// A label that ends with a hash that `thread` is computing. Whoever needs it first waits.
    pub(super) fn with_hash(label: String, thread: JoinHandle<Result<String, String>>) -> Self {
        let thread = Mutex::new(Some(thread));
        Self(LazyLock::new(Box::new(move || {
            let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            match thread.and_then(|thread| thread.join().ok()) {
                Some(Ok(hash)) => format!("{label}, SHA-256 {hash}"),
                Some(Err(why)) => format!("{label}, SHA-256 unknown: {why}"),
                None => label,
            }
        })))
    }
}

/// Writes descriptions for one run.
pub(super) struct Describer {
    pub(super) arch: Arch,
    pub(super) weights: WeightsLabel,
    /// Resize, crop and normalisation in words.
    pub(super) preprocessing: String,
}

impl Describer {
    /// A layer's grid; `shape` is `[channels, height, width]`.
    pub(super) fn feature_maps(
        &self,
        layer: Layer,
        [channels, height, width]: [usize; 3],
        style: &Style,
        rendered: &Rendered,
    ) -> String {
        let shown = style.max_maps.map_or(channels, |most| most.min(channels));
        format!(
            "**{name}** (`{torch}`, {kind}) of {arch}: {shown} of {channels} feature maps, {width} x {height} pixels each\n\n\
             * range: {range}\n\
             * input: {input}\n\
             * weights: {weights}\n",
            name = layer.name(),
            torch = layer.torch_name(),
            kind = layer.kind,
            arch = self.arch,
            range = range_in_words(style, rendered, "map"),
            input = self.preprocessing,
            weights = *self.weights.0,
        )
    }

    /// The kernels' grid; `shape` is `[kernels, channels, height, width]`.
    pub(super) fn kernels(
        &self,
        [kernels, channels, height, width]: [usize; 4],
        style: &Style,
        rendered: &Rendered,
    ) -> String {
        format!(
            "**first-layer kernels** (`features.0.weight`) of {arch}: {kernels} kernels of {channels} x {height} x {width}\n\n\
             * range: {range}\n\
             * weights: {weights}\n",
            arch = self.arch,
            range = range_in_words(style, rendered, "kernel"),
            weights = *self.weights.0,
        )
    }

    /// The picture that the network saw.
    pub(super) fn input(&self, image: &str) -> String {
        format!(
            "**input**: {image} as the network saw it, normalisation undone\n\n* input: {}\n",
            self.preprocessing
        )
    }
}

/// `resize 256, crop 224, RGB / 255, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225]`
pub(super) fn preprocessing_in_words(preprocess: &Preprocess) -> String {
    let Preprocess {
        resize,
        crop,
        normalise,
    } = preprocess;
    let size = |side: &Option<std::num::NonZeroU32>| {
        side.map_or_else(|| "off".to_owned(), |side| side.to_string())
    };
    format!(
        "resize {}, crop {}, {} / {}, mean {:?}, std {:?}",
        size(resize),
        size(crop),
        match normalise.order {
            ChannelOrder::Rgb => "RGB",
            ChannelOrder::Bgr => "BGR",
        },
        normalise.divisor,
        normalise.mean,
        normalise.std
    )
}

/// What black and white stand for.
fn range_in_words(style: &Style, rendered: &Rendered, one: &str) -> String {
    let (lo, hi) = rendered.range;
    let non_finite = match rendered.non_finite {
        0 => String::new(),
        count => format!("; {count} values are NaN or infinite, painted in colour"),
    };
    match style.range {
        Range::Map => format!(
            "each {one} from its own minimum to its own maximum (over all: {lo} to {hi}){non_finite}"
        ),
        Range::Layer => format!("{lo} to {hi}, the same for every {one}{non_finite}"),
        Range::Fixed(..) => format!("{} for every {one}{non_finite}", range_word(style.range)),
    }
}
