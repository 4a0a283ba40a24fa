//! `vggscope layers`: the table of layers with their shapes.

use std::sync::Arc;

use super::error::RunError;
use super::parameters::{notes, open_model};
use super::table::aligned;
use super::terminal::Terminal;
use crate::network::vgg::{Arch, Variant};
use crate::network::{Architecture, Model, select};
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
    let origin = match model {
        Model::Vgg(_) => "torchvision",
        Model::Exported(_) => "module",
    };
    let output = "output (channels x height x width)";
    let head = ["index", "name", origin, "kind", output];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (layer, [channels, height, width]) in chosen.iter().zip(shapes) {
        rows.push(vec![
            layer.index.to_string(),
            layer.name().to_owned(),
            layer.torch_name().to_owned(),
            layer.what().to_owned(),
            format!("{channels} x {height} x {width}"),
        ]);
    }
    Ok(text + &aligned(&rows, &[1, 2, 3, 4]))
}
