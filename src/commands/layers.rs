//! `vggscope layers`: the table of layers with their shapes.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::path::Path;

use thiserror::Error;

use super::error::RunError;
use super::parameters::open_file;
use crate::network::Held;
use crate::network::vgg::{self, Arch, LayerKind, PUBLISHED_WIDTHS, SelectError};
use crate::settings::{LayersSettings, NetworkSettings, WeightsChoice};

/// A table that cannot be made.
#[derive(Debug, Error)]
pub(crate) enum LayersError {
    #[error("{0}")]
    Weights(#[from] RunError),
    #[error("{0}")]
    Select(#[from] SelectError),
    #[error("{0}")]
    Size(#[from] vgg::InputTooSmall),
}

/// Input side when nothing is cropped: the shapes then are only an example.
const EXAMPLE_SIDE: u32 = 224;

/// Index, names, kind and output shape of each layer, for the input size that the flags give.
pub(crate) fn table(settings: &LayersSettings) -> Result<String, LayersError> {
    let (held, widths) = match settings.weights() {
        WeightsChoice::File(path) => widths_of(&path, &settings.network)?,
        WeightsChoice::Random | WeightsChoice::Imagenet => {
            let arch = settings.network.arch.unwrap_or(Arch::VGG16);
            (Held::whole(arch), published_widths(arch))
        }
    };
    let arch = held.arch;
    let preprocess = settings.input.preprocess();
    let side = preprocess.crop.map_or(EXAMPLE_SIDE, NonZeroU32::get);
    let all = arch.layers();
    let chosen = vgg::select_held(
        &all,
        held.depth,
        &arch.to_string(),
        &settings.network.layers,
    )?;
    let deepest = chosen.last().map_or(0, |layer| layer.index);
    let shapes = vgg::output_shapes(&all[..=deepest], &widths, [side as usize; 2])?;

    let channels = if held.is_gray { 1 } else { 3 };
    let mut text = format!("{arch}, input {channels} x {side} x {side}");
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
fn widths_of(path: &Path, settings: &NetworkSettings) -> Result<(Held, Vec<usize>), LayersError> {
    let (held, file) = open_file(path, settings)?;
    let widths = held
        .arch
        .layers()
        .iter()
        .filter(|layer| layer.kind == LayerKind::Convolution)
        .map(|layer| {
            file.get(&format!("{}.weight", layer.torch_name()))
                .and_then(|entry| entry.shape().first().copied())
                .unwrap_or_default()
        })
        .collect();
    Ok((held, widths))
}
