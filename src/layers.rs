//! `vggscope layers`: the table of layers with their shapes.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::path::PathBuf;

use thiserror::Error;

use crate::cli::LayersArgs;
use crate::config::{WeightsChoice, preprocess};
use crate::vgg::{self, Arch, LayerKind, PUBLISHED_WIDTHS, SelectError, UnknownArch};
use crate::weights::{WeightsError, WeightsFile};

/// A table that cannot be made.
#[derive(Debug, Error)]
pub enum LayersError {
    /// The weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The weights are no VGG's.
    #[error("{path}: these are no VGG weights")]
    NoVgg {
        /// The file.
        path: PathBuf,
        /// Why.
        source: UnknownArch,
    },
    /// No such layer.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// Without a crop the shapes depend on each image.
    #[error(transparent)]
    Size(#[from] vgg::InputTooSmall),
}

/// Input side when nothing is cropped: the shapes then are only an example.
const EXAMPLE_SIDE: u32 = 224;

/// Index, names, kind and output shape of each layer, for the input size that the flags give.
///
/// # Errors
///
/// Unreadable weights, an unknown layer, an input too small for the layers.
pub fn table(args: &LayersArgs) -> Result<String, LayersError> {
    let (arch, widths) = match WeightsChoice::from_flag(args.weights.as_deref()) {
        WeightsChoice::File(path) => widths_of(path, args.network.arch)?,
        WeightsChoice::Random | WeightsChoice::Imagenet => {
            let arch = args.network.arch.unwrap_or(Arch::VGG16);
            (arch, published_widths(arch))
        }
    };
    let preprocess = preprocess(&args.input);
    let side = preprocess.crop.map_or(EXAMPLE_SIDE, NonZeroU32::get);
    let all = arch.layers();
    let chosen = vgg::select(&all, &arch.to_string(), &args.network.layers)?;
    let deepest = chosen.last().map_or(0, |layer| layer.index);
    let shapes = vgg::output_shapes(&all[..=deepest], &widths, [side as usize; 2])?;

    let mut text = format!("{arch}, input 3 x {side} x {side}");
    text += match preprocess.crop {
        Some(_) => "\n",
        None => " (an example: nothing is cropped, so each image has its own size)\n",
    };
    text += "index  name       torchvision   kind             output (channels x height x width)\n";
    for layer in chosen {
        let [channels, height, width] = shapes[layer.index];
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:>5}  {:<9}  {:<12}  {:<15}  {channels} x {height} x {width}",
            layer.index,
            layer.name(),
            layer.torch_name(),
            layer.kind.to_string(),
        );
    }
    Ok(text)
}

fn published_widths(arch: Arch) -> Vec<usize> {
    arch.convolutions()
        .iter()
        .zip(PUBLISHED_WIDTHS)
        .flat_map(|(count, width)| std::iter::repeat_n(width, *count))
        .collect()
}

/// The network of a weights file, and the output channels of its convolutions.
fn widths_of(path: PathBuf, asked: Option<Arch>) -> Result<(Arch, Vec<usize>), LayersError> {
    let file = WeightsFile::open(&path)?;
    let arch = match (asked, file.architectures().first()) {
        (Some(arch), _) => arch,
        (None, Some(name)) => name
            .parse()
            .map_err(|source| LayersError::NoVgg { path, source })?,
        (None, None) => Arch::VGG16,
    };
    file.expect_arch(&arch.to_string())?;
    let widths = arch
        .layers()
        .iter()
        .filter(|layer| layer.kind == LayerKind::Convolution)
        .map(|layer| {
            file.get(&format!("{}.weight", layer.torch_name()))
                .and_then(|entry| entry.shape().first().copied())
                .unwrap_or_default()
        })
        .collect();
    Ok((arch, widths))
}
