//! A training that went wrong, in words.

use crate::pipeline::RunError;
use crate::train::{Place, Saved, TrainError, Trouble};
use crate::vgg::Arch;

/// Says where a loss that is not finite comes from, and what can be done.
pub(super) fn explain(error: TrainError, arch: Arch, saved: Option<&Saved>) -> RunError {
    let TrainError::Trouble(Trouble {
        step,
        symptom,
        place,
    }) = error
    else {
        return error.into();
    };
    RunError::Trouble {
        what: format!("step {step}: {symptom}"),
        place: in_words(place, arch),
        checkpoint: way_on(saved),
    }
}

fn in_words(place: Place, arch: Arch) -> String {
    match place {
        Place::Parameter(name) => format!("the parameter {name} is not finite"),
        Place::Layer(index) => {
            let layers = arch.layers();
            let name = layers.get(index).map(|layer| layer.name());
            format!(
                "{} (features.{index}) is the first layer whose maps are not finite",
                name.unwrap_or_default()
            )
        }
        Place::Classifier => {
            "all feature maps are finite, the classifier's scores are not".to_owned()
        }
        Place::Nowhere => "all feature maps and scores are finite".to_owned(),
    }
}

fn way_on(saved: Option<&Saved>) -> String {
    const SMALLER: &str = "with a smaller --learning-rate, or with --clip-norm";
    match saved {
        Some(saved) => format!(
            "the last good checkpoint is {}: go on from it {SMALLER}, and --resume",
            saved.network.display()
        ),
        None => format!("no checkpoint was saved yet: begin again {SMALLER}"),
    }
}
