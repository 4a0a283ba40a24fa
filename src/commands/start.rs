//! The network that a training starts from.

use std::path::Path;

use super::classes;
use super::context::{Context, shown_part};
use super::error::{CommandError, RunError};
use super::parameters::{self, OpenNetwork, Parameters};
use super::resumed::Resumed;
use crate::data::labeled::Dataset;
use crate::data::prepared::file_name;
use crate::network::ForwardPass;
use crate::network::select;
use crate::network::vgg::{
    Arch, NewPart, PUBLISHED_HIDDEN, PUBLISHED_WIDTHS, RandomParameters, Sizes, Variant, Vgg,
    fitting_classifier, last_width,
};
use crate::settings::{NetworkSettings, TrainSettings};
use crate::train::graph;
use crate::weights::Classifier;
use tensorboard_events::Graph;

/// The network, its first parameters, and what they are called in descriptions.
pub(super) fn open_network(
    settings: &TrainSettings,
    dataset: &Dataset,
    resumed: Option<&Resumed>,
    context: &Context,
) -> Result<OpenNetwork, RunError> {
    let asked = settings.run.network.arch;
    let seed = settings.seed;
    let classes = dataset.classes.len();
    let path = match resumed {
        Some(resumed) => Some(resumed.saved.network.clone()),
        None => parameters::weights_file(settings.weights.as_deref(), asked, context)?,
    };
    if let Some(path) = path {
        let mut network = settings.run.network.clone();
        if resumed.is_some() {
            // Its own checkpoints hold one network.
            network.weights_key = None;
        }
        let opened = from_file(settings, &network, classes, &path, context)?;
        if resumed.is_none() {
            classes::note_kept(&opened.parameters, dataset, context);
        }
        return Ok(opened);
    }
    let arch = asked.unwrap_or(Arch::VGG16);
    let hidden = settings.optimization.hidden;
    let sizes = Sizes {
        widths: PUBLISHED_WIDTHS.map(|width| scaled(width, settings.optimization.width)),
        hidden: hidden.map_or(PUBLISHED_HIDDEN, Into::into),
        classes,
    };
    Ok(OpenNetwork {
        variant: Variant::whole(arch, sizes.widths),
        parameters: parameters::random(arch, sizes, seed, &context.terminal),
        label: Box::new(move || format!("trained from random, seed {seed}")),
    })
}

/// The part of that network that is shown, made again for a training that has begun; without notes.
pub(super) fn initial_network(
    settings: &TrainSettings,
    dataset: &Dataset,
    pass: &ForwardPass,
    context: &Context,
) -> Result<Vgg, RunError> {
    let start = open_network(settings, dataset, None, &context.quiet())?;
    let (extent, place) = shown_part(pass);
    Ok(start.parameters.build(&start.variant, extent, place)?)
}

fn scaled(width: usize, factor: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
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
    network: &NetworkSettings,
    classes: usize,
    path: &Path,
    context: &Context,
) -> Result<OpenNetwork, RunError> {
    let (held, file) = parameters::open_with_notes(path, network, &context.terminal)?;
    let label = format!("trained from {}", file_name(path));
    let opened = |variant, parameters| OpenNetwork {
        variant,
        parameters,
        label: Box::new(move || label),
    };
    let asked = settings.optimization.hidden.map(usize::from);
    let mut sizes = Sizes {
        hidden: asked.unwrap_or(PUBLISHED_HIDDEN),
        classes,
        ..Sizes::PUBLISHED
    };
    // The new part takes the widths of the layers before it.
    if let Some(width) = last_width(&file, held.arch) {
        sizes.widths[4] = width;
    }
    let (part, note) = match fitting_classifier(&file, held.arch) {
        Some([_, [found, _], _]) if asked.is_some_and(|given| given != found) => {
            return Err(CommandError::Hidden {
                path: path.to_owned(),
                given: asked.unwrap_or_default(),
                found,
            }
            .into());
        }
        Some([.., [outputs, _]]) if outputs == classes => {
            return Ok(opened(held, Parameters::File(file)));
        }
        Some([_, [hidden, _], [outputs, _]]) => {
            sizes.hidden = hidden;
            let note = format!(
                "the last layer is new: the weights have {outputs} classes, the data set has {classes}"
            );
            (NewPart::Output, note)
        }
        None => {
            let why = unfit(file.classifier(), sizes.widths[4] * 49);
            let note = format!("the classifier is new: {why}; the data set has {classes} classes");
            (NewPart::Classifier, note)
        }
    };
    context.terminal.note(&note);
    let fresh = RandomParameters::new(held.arch, sizes, settings.seed);
    Ok(opened(held, Parameters::Grafted { file, fresh, part }))
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
    Ok(match freeze {
        "none" => None,
        "features" => layers.last().map(|layer| layer.index),
        name => match select(variant, name).as_deref() {
            Ok([layer]) => Some(layer.index),
            _ => {
                return Err(CommandError::Freeze {
                    given: name.to_owned(),
                    arch: variant.arch,
                });
            }
        },
    })
}

/// The network for TensorBoard's Graphs tab.
pub(super) fn network_graph(parameters: &Parameters, variant: &Variant, side: usize) -> Graph {
    let classifier = [0, 3, 6].map(|index| parameters.rows(&format!("classifier.{index}.weight")));
    graph(variant, classifier, side)
}
