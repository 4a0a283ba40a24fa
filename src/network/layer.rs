//! A layer of a network: its place, its kind and its names.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// What a layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum LayerKind {
    /// 3 x 3, stride 1, one pixel of zero padding.
    Convolution,
    /// Per-channel normalization with running statistics.
    BatchNorm,
    /// `max(x, 0)`.
    Relu,
    /// 2 x 2, stride 2.
    MaxPool,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Convolution => "convolution 3x3",
            Self::BatchNorm => "batch norm",
            Self::Relu => "ReLU",
            Self::MaxPool => "max pool 2x2",
        })
    }
}

/// One layer: its place and its two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its place in the network, from 0.
    pub(crate) index: usize,
    /// What it does.
    pub(crate) kind: LayerKind,
    name: Arc<str>,
    torch_name: Arc<str>,
}

impl Layer {
    pub(crate) fn new(index: usize, kind: LayerKind, name: &str, torch_name: &str) -> Self {
        Self {
            index,
            kind,
            name: name.into(),
            torch_name: torch_name.into(),
        }
    }

    /// What people call it; for VGG the paper's name: `conv3_3`, `relu3_3`, `pool3`.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of its module in PyTorch: `features.14`.
    #[must_use]
    pub(crate) fn torch_name(&self) -> &str {
        &self.torch_name
    }

    /// The name within a tag: `14_conv3_3`. The index comes first so that TensorBoard's sorting is
    /// the network's order.
    #[must_use]
    pub(crate) fn tag(&self) -> String {
        format!("{:02}_{}", self.index, self.name)
    }
}

/// An input that is pooled away before it reaches a layer.
#[derive(Debug, Error)]
#[error(
    "an input of {width} x {height} pixels is too small for {layer}: pooling leaves nothing of it there"
)]
pub(crate) struct InputTooSmall {
    /// Pixels down.
    pub(crate) height: usize,
    /// Pixels across.
    pub(crate) width: usize,
    /// The first layer with an empty output.
    pub(crate) layer: String,
}
