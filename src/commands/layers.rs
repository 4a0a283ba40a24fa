//! `vggscope layers`: the table of layers with their shapes.

use std::fmt::Write as _;

use super::error::RunError;
use super::parameters::{notes, open_file};
use super::terminal::Terminal;
use crate::network::vgg::{Arch, Variant};
use crate::network::{Architecture, select};
use crate::settings::{IMAGENET, LayersSettings};

/// Input side when nothing is cropped: the shapes then are only an example.
const EXAMPLE_SIDE: u32 = 224;

/// Index, names, kind and output shape of each layer, for the input size that the flags give.
pub(crate) fn table(settings: &LayersSettings) -> Result<String, RunError> {
    let held = match &settings.weights {
        Some(path) if path != IMAGENET => {
            let (held, file) = open_file(path, &settings.network)?;
            Terminal::new(false).notes(&notes(&file, &held, None));
            held
        }
        _ => Variant::published(settings.network.arch.unwrap_or(Arch::VGG16)),
    };
    let side = settings.side().unwrap_or(EXAMPLE_SIDE);
    let chosen = select(&held, &settings.network.layers)?;
    let deepest = chosen.last().map_or(0, |layer| layer.index);
    let shown = Variant {
        depth: deepest + 1,
        ..held
    };
    let shapes = shown.output_shapes([side as usize; 2])?;

    let (name, channels) = (shown.name(), shown.input_channels());
    let mut text = format!("{name}, input {channels} x {side} x {side}");
    text += match settings.side() {
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
            layer.what(),
        );
    }
    Ok(text)
}
