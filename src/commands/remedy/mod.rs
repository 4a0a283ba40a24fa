//! From an error of any room to what the user can do next: the only place where errors and flags meet.

mod table;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::iter::successors;

use crate::data::error::{ImageError, LoadError};
use crate::one_line::{one_line, shell_quoted};
use crate::state::WidthMismatch;
use crate::train::TrainError;
use crate::weights::WeightsError;

/// What happened, why, and what to do next, as one line.
pub(crate) fn explain(error: &(dyn Error + 'static)) -> String {
    let text = one_line(error);
    match next_step(error) {
        Some(advice) if text.ends_with('?') => format!("{text} {advice}"),
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// The advice on the first error of the chain that there is any on.
fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    successors(Some(error), |&error| error.source()).find_map(|error| {
        if let Some(error) = error.downcast_ref() {
            return load(error);
        }
        if let Some(WeightsError { kind, .. }) = error.downcast_ref() {
            return table::advice(kind);
        }
        // The cause of an error that has one is boxed.
        if let Some(error) = error.downcast_ref::<Box<TrainError>>() {
            return table::advice(&**error);
        }
        let advice = if error.is::<WidthMismatch>() {
            "show it in a run of its own, or leave it out with --exclude or --on-error skip"
        } else if error.is::<toml::ser::Error>() {
            "config.toml takes paths in UTF-8 only: rename the file or folder"
        } else {
            return table::advice(error);
        };
        Some(advice.to_owned())
    })
}

/// What to do about a weights file that was given as an image.
fn load(LoadError { path, error }: &LoadError) -> Option<String> {
    let file = shell_quoted(path);
    let flag = match path.extension() {
        Some(end) if end == "pt2" => format!("--model {file}"),
        _ => format!("--weights {file}, or to `vggscope checkpoints`"),
    };
    let is_weights = matches!(error, ImageError::Weights);
    is_weights.then(|| format!("give it with {flag}, and name the images"))
}
