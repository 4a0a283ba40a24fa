//! The network that a training starts from.

use std::path::Path;

use super::context::{Context, RunContext, placement};
use super::error::{CommandError, RunError};
use super::parameters::{self, OpenNetwork};
use super::resumed::{Resumed, note_other_names};
use crate::data::labeled::Dataset;
use crate::data::prepared::file_name;
use crate::network::Model;
use crate::network::select;
use crate::network::vgg::{
    Arch, Extent, Grafted, RandomParameters, Sizes, Variant, Vgg, fitting_classifier, last_width,
};
use crate::settings::TrainSettings;
use crate::train::{classes_of, graph};
use crate::weights::Classifier;
use tensorboard_events::Graph;

pub(super) fn open_network(
    settings: &TrainSettings,
    dataset: &Dataset,
    resumed: Option<&Resumed>,
    context: &Context,
) -> Result<OpenNetwork, RunError> {
    let asked = settings.run.network.arch;
    let path = match resumed {
        Some(resumed) => Some(resumed.saved.network.clone()),
        None => parameters::weights_file(settings.weights.as_deref(), asked, context)?,
    };
    if let Some(path) = path {
        return from_file(settings, dataset, &path, resumed.is_some(), context);
    }
    let hidden = settings.optimization.hidden;
    let sizes = Sizes {
        widths: Sizes::PUBLISHED
            .widths
            .map(|width| scaled(width, settings.optimization.width)),
        hidden: hidden.map_or(Sizes::PUBLISHED.hidden, Into::into),
        classes: dataset.classes.len(),
    };
    let (arch, terminal) = (asked.unwrap_or(Arch::VGG16), &context.terminal);
    let label = "trained from ";
    Ok(OpenNetwork::random(
        arch,
        sizes,
        settings.seed,
        label,
        terminal,
    ))
}

/// That network, made again for a training that has begun; without notes.
pub(super) fn initial_network(
    settings: &TrainSettings,
    dataset: &Dataset,
    run: &RunContext<'_>,
) -> Result<Vgg, RunError> {
    let start = open_network(settings, dataset, None, &run.context.quiet())?;
    Ok(start.build(Extent::Whole, placement(&run.pass, 1))?)
}

fn scaled(width: usize, factor: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of at most 512"
    )]
    let scaled = (width as f64 * factor).round() as usize;
    scaled.max(1)
}

/// Parameters from a file; its classifier is kept where it fits and has an output for each class.
fn from_file(
    settings: &TrainSettings,
    dataset: &Dataset,
    path: &Path,
    is_resumed: bool,
    context: &Context,
) -> Result<OpenNetwork, RunError> {
    let network = &settings.run.network;
    // Its own checkpoints hold one network.
    let key = network.weights_key.as_deref().filter(|_| !is_resumed);
    let classes = dataset.classes.len();
    let (held, file) = parameters::open_file(path, key, network.arch)?;
    // The crop is what it is trained at from now on.
    context.terminal.notes(&parameters::notes(
        &file,
        &Model::Vgg(Some(held.arch)),
        None,
    ));
    let label = format!("trained from {}", file_name(path));
    let arch = held.arch;
    let opened = |parameters| OpenNetwork {
        variant: held,
        parameters,
        label: Box::new(move || label),
    };
    let asked = settings.optimization.hidden.map(usize::from);
    let mut sizes = Sizes {
        hidden: asked.unwrap_or(Sizes::PUBLISHED.hidden),
        classes,
        ..Sizes::PUBLISHED
    };
    // The new part takes the widths of the layers before it.
    if let Some(width) = last_width(&file, arch) {
        sizes.widths[4] = width;
    }
    let (new, note) = match fitting_classifier(&file, arch) {
        Some([_, [found, _], _]) if asked.is_some_and(|given| given != found) => {
            return Err(CommandError::wrong_use(format!(
                "--hidden {}: the hidden layers of {} have {found} units and come with the weights; leave --hidden out",
                asked.unwrap_or_default(),
                path.display()
            ))
            .into());
        }
        Some([.., [outputs, _]]) if outputs == classes => {
            if let Some(trained) = classes_of(path).filter(|_| !is_resumed) {
                note_other_names(&trained, dataset, context);
            }
            return Ok(opened(Box::new(file)));
        }
        Some([_, [hidden, _], [outputs, _]]) => {
            sizes.hidden = hidden;
            let note = format!(
                "the last layer is new: the weights have {outputs} classes, the data set has {classes}"
            );
            ("classifier.6.", note)
        }
        None => {
            let why = unfit(file.classifier(), sizes.widths[4] * 49);
            let note = format!("the classifier is new: {why}; the data set has {classes} classes");
            ("classifier.", note)
        }
    };
    context.terminal.note(&note);
    let fresh = RandomParameters::new(arch, sizes, settings.seed);
    let base = file;
    Ok(opened(Box::new(Grafted { base, fresh, new })))
}

/// Why a file's classifier cannot be used behind pooled maps of `inputs` values.
fn unfit(classifier: &Classifier, inputs: usize) -> String {
    match classifier {
        Classifier::None => "the file has none".to_owned(),
        Classifier::Three([first, ..]) => format!(
            "the file's takes {} inputs, where this one takes {inputs} (7 x 7 pooled maps)",
            first[1]
        ),
        Classifier::Other(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
            format!(
                "the file's has weights of {}, and not VGG's three linear layers with biases",
                shapes.join(", ")
            )
        }
    }
}

/// The index of the deepest frozen layer.
pub(super) fn frozen(freeze: &str, variant: &Variant) -> Result<Option<usize>, CommandError> {
    let layers = variant.arch.layers();
    match freeze {
        "none" => return Ok(None),
        "features" => return Ok(layers.last().map(|layer| layer.index)),
        _ => {}
    }
    if let Ok([layer]) = select(variant, freeze).as_deref() {
        return Ok(Some(layer.index));
    }
    Err(CommandError::wrong_use(format!(
        "--freeze {freeze:?}: expected \"none\", \"features\", or the last layer of {} to freeze, such as pool3 (`vggscope layers` lists them all)",
        variant.arch
    )))
}

pub(super) fn network_graph(network: &OpenNetwork, size: [usize; 2]) -> Graph {
    let outputs = [0, 3, 6].map(|index| {
        let name = format!("classifier.{index}.weight");
        let shape = network.parameters.shape(&name).unwrap_or_default();
        shape.first().copied().unwrap_or_default()
    });
    graph(&network.variant, outputs, size)
}
