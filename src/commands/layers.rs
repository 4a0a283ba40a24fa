//! `vggscope layers`: the table of layers with their shapes.

use std::fmt::Write as _;
use std::sync::Arc;

use super::error::RunError;
use super::parameters::{notes, open_model};
use super::terminal::Terminal;
use crate::network::vgg::{Arch, Variant};
use crate::network::{Architecture, Layer, Model, select};
use crate::settings::{IMAGENET, LayersSettings};

/// Input size when nothing is cropped: the shapes then are only an example.
const EXAMPLE: [usize; 2] = [224; 2];

/// Index, names, kind and output shape of each layer, for the input size that the flags give.
pub(crate) fn table(settings: &LayersSettings) -> Result<String, RunError> {
    let terminal = Terminal::new(false);
    let model = open_model(&settings.network)?;
    let architecture: Arc<dyn Architecture> = match (&settings.weights, &model) {
        (Some(path), _) if path != IMAGENET => {
            let file = model.weights(path, settings.network.weights_key.as_deref())?;
            terminal.notes(&notes(&file, &model, None));
            model.architecture(&file)?
        }
        (_, Model::Exported(program)) => Arc::clone(program) as _,
        (_, Model::Vgg(arch)) => Arc::new(Variant::published(arch.unwrap_or(Arch::VGG16))),
    };
    let list = match settings.network.layers.as_str() {
        "auto" => "all",
        list => list,
    };
    let chosen = select(&*architecture, list)?;
    let own = model.input_size().filter(|_| !settings.has_crop());
    let shape @ [height, width] = own.or(settings.size()).unwrap_or(EXAMPLE);
    let shapes = architecture.output_shapes(&chosen, shape)?;

    let (name, channels) = (architecture.name(), architecture.input_channels());
    let mut text = format!("{name}, input {channels} x {height} x {width}");
    text += if settings.size().is_none() && own.is_none() {
        " (an example: nothing is cropped, so each image has its own size)\n"
    } else {
        "\n"
    };
    if let Model::Exported(program) = &model {
        text.extend(program.notes().into_iter().map(|note| note + "\n"));
    }
    let longest = |least: usize, name: fn(&Layer) -> &str| {
        let lengths = chosen.iter().map(|layer| name(layer).len());
        lengths.fold(least, usize::max)
    };
    let (names, kinds) = (longest(9, Layer::name), longest(15, Layer::what));
    let paths = longest(12, Layer::torch_name);
    let is_vgg = matches!(model, Model::Vgg(_));
    let origin = if is_vgg { "torchvision" } else { "module" };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "index  {:<names$}  {origin:<paths$}  {:<kinds$}  output (channels x height x width)",
        "name", "kind"
    );
    for (layer, [channels, height, width]) in chosen.iter().zip(shapes) {
        let _ = writeln!(
            text,
            "{:>5}  {:<names$}  {:<paths$}  {:<kinds$}  {channels} x {height} x {width}",
            layer.index,
            layer.name(),
            layer.torch_name(),
            layer.what(),
        );
    }
    Ok(text)
}
