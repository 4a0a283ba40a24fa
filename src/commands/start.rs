//! The network that a training starts from.

use std::path::Path;

use super::context::Context;
use super::error::RunError;
use super::parameters::{self, Parameters};
use crate::dataset::Dataset;
use crate::events::Graph;
use crate::input::prepared::file_name;
use crate::settings::{Freeze, TrainSettings};
use crate::train::{SavedCheckpoint, TrainingProgress, graph};
use crate::vgg::{
    self, Arch, LayerKind, NewPart, PUBLISHED_HIDDEN, PUBLISHED_WIDTHS, RandomParameters, Sizes,
};

/// The network's architecture, its first parameters, and what they are called in descriptions.
pub(super) fn open_network(
    settings: &TrainSettings,
    dataset: &Dataset,
    resumed: Option<&(SavedCheckpoint, TrainingProgress)>,
    context: &Context,
) -> Result<(Arch, Parameters, String), RunError> {
    let asked = settings.run.network.arch;
    let seed = settings.run.compute.seed;
    let classes = dataset.classes.len();
    let path = match resumed {
        Some((saved, _)) => Some(saved.network.clone()),
        None => parameters::weights_file(&settings.weights(), asked, context)?,
    };
    if let Some(path) = path {
        let (arch, parameters) = from_file(settings, classes, &path, context)?;
        return Ok((
            arch,
            parameters,
            format!("trained from {}", file_name(&path)),
        ));
    }
    let arch = asked.unwrap_or(Arch::VGG16);
    let sizes = Sizes {
        widths: PUBLISHED_WIDTHS.map(|width| scaled(width, settings.optimization.width)),
        hidden: settings
            .optimization
            .hidden
            .map_or(PUBLISHED_HIDDEN, Into::into),
        classes,
    };
    let parameters = parameters::random(arch, sizes, seed, &context.terminal);
    Ok((
        arch,
        parameters,
        format!("trained from random, seed {seed}"),
    ))
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

/// Parameters from a file; its classifier is kept where it has an output for each class.
fn from_file(
    settings: &TrainSettings,
    classes: usize,
    path: &Path,
    context: &Context,
) -> Result<(Arch, Parameters), RunError> {
    let (arch, file) = parameters::open_file(path, settings.run.network.arch)?;
    let rows = |name: &str| {
        file.get(name)
            .and_then(|entry| entry.shape().first().copied())
    };
    let asked = settings.optimization.hidden.map(usize::from);
    if let (Some(given), Some(found)) = (asked, rows("classifier.3.weight"))
        && given != found
    {
        return Err(RunError::Hidden {
            path: path.to_owned(),
            given,
            found,
        });
    }
    let outputs = rows("classifier.6.weight");
    if outputs == Some(classes) {
        return Ok((arch, Parameters::File(file)));
    }
    let (part, what) = match outputs {
        Some(outputs) => (
            NewPart::Output,
            format!("the last layer is new: the weights have {outputs} classes"),
        ),
        None => (
            NewPart::Classifier,
            "the classifier is new: the weights have none".to_owned(),
        ),
    };
    context
        .terminal
        .note(&format!("{what}, the data set has {classes}"));
    let mut sizes = Sizes {
        hidden: asked.unwrap_or(PUBLISHED_HIDDEN),
        classes,
        ..Sizes::PUBLISHED
    };
    // The new part takes the widths of the layers before it.
    let last = convolutions(arch).last();
    if let Some(width) = last.and_then(|name| rows(&name)) {
        sizes.widths[4] = width;
    }
    if let (NewPart::Output, Some(hidden)) = (part, rows("classifier.3.weight")) {
        sizes.hidden = hidden;
    }
    let fresh = RandomParameters::new(arch, sizes, settings.run.compute.seed);
    Ok((arch, Parameters::Grafted { file, fresh, part }))
}

/// The index of the deepest frozen layer.
pub(super) fn frozen(freeze: &Freeze, arch: Arch) -> Result<Option<usize>, RunError> {
    let layers = arch.layers();
    Ok(match freeze {
        Freeze::None => None,
        Freeze::Features => layers.last().map(|layer| layer.index),
        Freeze::UpTo(name) => match vgg::select(&layers, &arch.to_string(), name).as_deref() {
            Ok([layer]) => Some(layer.index),
            _ => {
                return Err(RunError::Freeze {
                    given: name.clone(),
                    arch,
                });
            }
        },
    })
}

/// The network for TensorBoard's Graphs tab.
pub(super) fn network_graph(parameters: &Parameters, arch: Arch, side: usize) -> Graph {
    let widths: Vec<usize> = convolutions(arch)
        .map(|name| parameters.rows(&name))
        .collect();
    let classifier = [0, 3, 6].map(|index| parameters.rows(&format!("classifier.{index}.weight")));
    graph(arch, &widths, classifier, side)
}

/// The names of all convolutions' weights.
fn convolutions(arch: Arch) -> impl Iterator<Item = String> {
    arch.layers()
        .into_iter()
        .filter(|layer| layer.kind == LayerKind::Convolution)
        .map(|layer| format!("{}.weight", layer.torch_name()))
}
