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
    let layers = arch.layers();
    RunError::Trouble {
            what: format!("step {step}: {symptom}"),
            place: match place {
                Place::Parameter(name) => format!("the parameter {name} is not finite"),
                Place::Layer(index) => {
                    let layer = layers
                        .get(index)
                        .map_or_else(String::new, |layer| layer.name());
                    format!(
                        "{layer} (features.{index}) is the first layer whose maps are not finite"
                    )
                }
                Place::Classifier => {
                    "all feature maps are finite, the classifier's scores are not".to_owned()
                }
                Place::Nowhere => "all feature maps and scores are finite".to_owned(),
            },
            checkpoint: match saved {
                Some(saved) => format!(
                    "the last good checkpoint is {}: go on from it with a smaller --learning-rate, or with --clip-norm, and --resume",
                    saved.network.display()
                ),
                None => "no checkpoint was saved yet: begin again with a smaller --learning-rate, or with --clip-norm".to_owned(),
            },
        }
}
