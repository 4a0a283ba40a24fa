//! One value under one tag, as it is written.

use protobuf::Message;

use crate::histogram::Histogram;
use crate::hparams::Hparams;
use crate::layout::Layout;

/// One value of a tag, to be written at some step by `EventFile::write_step`.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The name of the series; TensorBoard groups tags by what stands before their last `/`.
    pub tag: String,
    /// What TensorBoard shows next to the series, as Markdown; empty for nothing. Only the one that comes with a
    /// tag's first value is written.
    pub description: String,
    /// The value itself.
    pub value: Value,
}

/// What a [`Summary`] says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Pictures of one size, already encoded.
    Image {
        /// Width of each picture, in pixels.
        width: u32,
        /// Height of each picture, in pixels.
        height: u32,
        /// The pictures, each a whole PNG file. TensorBoard shows them side by side.
        pngs: Vec<Vec<u8>>,
    },
    /// Markdown.
    Text(String),
    /// One point of a curve.
    Scalar(f32),
    /// How many values lie where.
    Histogram(Histogram),
    /// What tells the run from others in a comparison; made by [`Summary::hparams`].
    Hparams(Hparams),
    /// The charts of the Custom Scalars tab; made by [`Summary::layout`].
    Layout(Layout),
    /// Data that TensorBoard keeps and shows nowhere; made by [`Summary::data`].
    Data {
        /// The plugin that they are for, which is none of TensorBoard's.
        plugin: String,
        /// Any bytes.
        strings: Vec<Vec<u8>>,
    },
}

impl Summary {
    fn new(tag: impl Into<String>, value: Value) -> Self {
        Self {
            tag: tag.into(),
            description: String::new(),
            value,
        }
    }

    /// Pictures for TensorBoard's Images tab. The PNG bytes are taken over, not copied.
    ///
    /// # Units
    ///
    /// `width` and `height` in pixels; every picture in `pngs` has that size.
    pub fn image(
        tag: impl Into<String>,
        description: impl Into<String>,
        width: u32,
        height: u32,
        pngs: Vec<Vec<u8>>,
    ) -> Self {
        let value = Value::Image {
            width,
            height,
            pngs,
        };
        Self {
            description: description.into(),
            ..Self::new(tag, value)
        }
    }

    /// Markdown for TensorBoard's Text tab.
    pub fn text(tag: impl Into<String>, markdown: impl Into<String>) -> Self {
        Self::new(tag, Value::Text(markdown.into()))
    }

    /// One point of a curve in TensorBoard's Scalars tab, which are single precision.
    pub fn scalar(tag: impl Into<String>, value: impl Into<f64>) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "single precision")]
        let value = value.into() as f32;
        Self::new(tag, Value::Scalar(value))
    }

    /// A distribution for TensorBoard's Histograms and Distributions tabs.
    pub fn histogram(tag: impl Into<String>, histogram: Histogram) -> Self {
        Self::new(tag, Value::Histogram(histogram))
    }

    /// Settings, results or the end of a training for TensorBoard's `HParams` tab, whose tags are fixed. Each once a
    /// run, at any step.
    pub fn hparams(hparams: Hparams) -> Self {
        Self::new(hparams.tag(), Value::Hparams(hparams))
    }

    /// Charts for TensorBoard's Custom Scalars tab, whose tag is fixed. Once a run, at any step.
    pub fn layout(layout: Layout) -> Self {
        Self::new(Layout::TAG, Value::Layout(layout))
    }

    /// Data for programs other than TensorBoard, which shows nothing of a plugin that it does not know.
    pub fn data(tag: impl Into<String>, plugin: impl Into<String>, strings: Vec<Vec<u8>>) -> Self {
        let plugin = plugin.into();
        Self::new(tag, Value::Data { plugin, strings })
    }

    /// Near enough how long the record of this summary gets. Units: bytes.
    pub(crate) fn size_hint(&self) -> u64 {
        // Field tags, lengths, step, wall time, plugin name and framing of a whole record.
        const FIXED: u64 = 256;
        const PER_PICTURE: u64 = 8;
        const PER_BUCKET: u64 = 16;
        let bytes = |all: &[Vec<u8>]| {
            let each = all.iter().map(|one| one.len() as u64 + PER_PICTURE);
            each.sum::<u64>()
        };
        let value = match &self.value {
            Value::Image { pngs, .. } => bytes(pngs),
            Value::Data { strings, .. } => bytes(strings),
            Value::Text(markdown) => markdown.len() as u64,
            Value::Scalar(_) => 0,
            Value::Histogram(histogram) => histogram.bucket_counts.len() as u64 * PER_BUCKET,
            Value::Hparams(hparams) => hparams.message().compute_size().into(),
            Value::Layout(layout) => layout.size_hint(),
        };
        FIXED + self.tag.len() as u64 + self.description.len() as u64 + value
    }
}

impl Value {
    /// The TensorBoard plugin that shows such a value.
    ///
    /// Source: `PLUGIN_NAME` in `tensorboard/plugins/{image,text,scalar,histogram,hparams,custom_scalar}/metadata.py`.
    pub fn plugin(&self) -> &str {
        match self {
            Self::Image { .. } => IMAGES,
            Self::Text(_) => TEXT,
            Self::Scalar(_) => SCALARS,
            Self::Histogram(_) => HISTOGRAMS,
            Self::Hparams(_) => HPARAMS,
            Self::Layout(_) => CUSTOM_SCALARS,
            Self::Data { plugin, .. } => plugin,
        }
    }
}

pub(crate) const IMAGES: &str = "images";
pub(crate) const TEXT: &str = "text";
pub(crate) const SCALARS: &str = "scalars";
pub(crate) const HISTOGRAMS: &str = "histograms";
pub(crate) const HPARAMS: &str = "hparams";
pub(crate) const CUSTOM_SCALARS: &str = "custom_scalars";

/// Plugins of TensorBoard's, none of which takes any bytes.
pub(crate) const KNOWN: [&str; 6] = [IMAGES, TEXT, SCALARS, HISTOGRAMS, HPARAMS, CUSTOM_SCALARS];
