//! A layer of a network: its place, its kind and its names.

use std::sync::Arc;

use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerKind {
    /// A VGG's is 3 x 3, of stride 1, with one pixel of zero padding.
    Convolution,
    /// Per-channel normalization with running statistics.
    BatchNorm,
    Relu,
    /// A VGG's is 2 x 2, of stride 2.
    MaxPool,
    Other,
    /// The same values in another shape.
    View,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) index: usize,
    pub(crate) kind: LayerKind,
    name: Arc<str>,
    torch_name: Arc<str>,
    what: Arc<str>,
    tag: Arc<str>,
}

impl Layer {
    /// One of a VGG.
    pub(crate) fn new(index: usize, kind: LayerKind, name: &str, torch_name: &str) -> Self {
        let what = match kind {
            LayerKind::Convolution => "convolution 3x3",
            LayerKind::BatchNorm => "batch norm",
            LayerKind::Relu => "ReLU",
            LayerKind::MaxPool => "max pool 2x2",
            LayerKind::Other | LayerKind::View => "layer",
        };
        Self {
            torch_name: torch_name.into(),
            ..Self::numbered(index, 2, kind, name, what)
        }
    }

    /// One of a network whose layers have one name, and numbers of so many digits; `what` it does in words.
    pub(crate) fn numbered(
        index: usize,
        digits: usize,
        kind: LayerKind,
        name: &str,
        what: &str,
    ) -> Self {
        let name: Arc<str> = name.into();
        Self {
            index,
            kind,
            torch_name: Arc::clone(&name),
            what: what.into(),
            tag: format!("{index:0digits$}_{name}").into(),
            name,
        }
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What people call it; for VGG the paper's name: `conv3_3`, `relu3_3`, `pool3`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of its module in PyTorch: `features.14`.
    pub(crate) fn torch_name(&self) -> &str {
        &self.torch_name
    }

    /// The name within a tag: `14_conv3_3`. The index comes first so that TensorBoard's sorting is
    /// the network's order.
    pub(crate) fn tag(&self) -> String {
        self.tag.to_string()
    }
}

#[derive(Debug, Error)]
pub(crate) enum InputError {
    #[error(
        "an input of {width} x {height} pixels is too small for {layer}: pooling leaves nothing of it there"
    )]
    TooSmall {
        height: usize,
        width: usize,
        /// The first layer with an empty output.
        layer: String,
    },
    #[error(
        "an input of {} x {} pixels (height x width), expected {} x {}, the size that the network was exported with",
        size[0], size[1], takes[0], takes[1]
    )]
    Other {
        /// `[height, width]`
        size: [usize; 2],
        takes: [usize; 2],
    },
}
