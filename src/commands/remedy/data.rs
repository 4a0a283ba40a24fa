//! What to do about errors of this room.

use std::io::ErrorKind;
use std::path::Path;

use crate::data::checkpoints::CheckpointError;
use crate::data::error::{ImageError, LoadError};
use crate::data::find::FindError;
use crate::data::labeled::LoaderError;
use crate::data::missing::meant;
use crate::network::vgg::Arch;
use crate::one_line::shell_quoted;

pub(super) fn checkpoints(error: &CheckpointError) -> Option<&'static str> {
    Some(match error {
        CheckpointError::NoFolder(_) => "restore it, and repeat the command",
        CheckpointError::AllExcluded { .. } => "leave an --exclude out",
        CheckpointError::NoNumber { .. } => {
            "name one file alone, or number the checkpoints in natural order with --step index"
        }
        CheckpointError::NoMatch { .. } => "change --step",
        CheckpointError::Ambiguous { .. } => {
            "capture the step with --step, such as 'epoch(\\d+)', or number the checkpoints in natural order with \
             --step index"
        }
        CheckpointError::SameStep { .. } => {
            "leave one out with --exclude, capture another number with --step, or number the checkpoints in \
             natural order with --step index"
        }
        CheckpointError::OutOfRange { .. } => {
            "leave the file out with --exclude, rename it, or number the checkpoints in natural order with \
             --step index"
        }
        CheckpointError::Find(_) => return None,
    })
}

pub(super) fn find(error: &FindError) -> Option<String> {
    let advice = match error {
        FindError::Missing { path } => return missing(path),
        FindError::Unreadable { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "check its permissions, or leave it out"
        }
        FindError::Link { .. } => "name the file itself, or remove the link",
        FindError::Other { .. } => {
            "were the two swapped? vggscope checkpoints CHECKPOINTS --images IMAGES"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

/// What was probably meant by a path that leads nowhere.
fn missing(path: &Path) -> Option<String> {
    let network = path.to_str().filter(|name| name.parse::<Arch>().is_ok());
    if let Some(name) = network {
        return Some(format!(
            "did you mean --weights imagenet, or --arch {name}?"
        ));
    }
    let meant = meant(path)?;
    Some(format!("did you mean {}?", meant.display()))
}

/// What to do about a weights file that was given as an image.
pub(super) fn load(error: &LoadError) -> Option<String> {
    let path = shell_quoted(&error.path);
    let is_network = error.path.extension().is_some_and(|end| end == "pt2");
    matches!(error.error, ImageError::Weights).then(|| {
        if is_network {
            return format!("give it with --model {path}, and name the images");
        }
        format!("give it with --weights {path}, or to `vggscope checkpoints`, and name the images")
    })
}

pub(super) fn image(error: &ImageError) -> Option<&'static str> {
    match error {
        ImageError::ResizedTooLarge { .. } => {
            Some("choose a smaller --resize or --crop, or leave the image out")
        }
        _ => None,
    }
}

pub(super) fn batches(error: &LoaderError) -> Option<&'static str> {
    match error {
        LoaderError::Sizes { .. } => Some("make the images one size with --crop"),
        LoaderError::NoSuchPosition { .. } => Some(
            "resume with the data set and the --batch-size that the run began with, or start a new run",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{explain, next_step};
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn what_was_meant_is_named() {
        let missing = |name: &str| FindError::Missing { path: name.into() };
        let cargo = explain(&missing("Cargo.tom"));
        let text = "Cargo.tom: there is no such file or folder; did you mean Cargo.toml?";
        assert_eq!(cargo, text);
        let network = explain(&missing("vgg16_bn"));
        assert!(
            network.contains("--weights imagenet, or --arch vgg16_bn?"),
            "{network}"
        );
        let error = LoadError {
            path: "vgg16.pth".into(),
            error: ImageError::Weights,
        };
        let text = "vgg16.pth: this is a weights file, not an image; give it with --weights vgg16.pth, or to \
                    `vggscope checkpoints`, and name the images";
        assert_eq!(explain(&error), text);
        let error = LoadError {
            path: "net.pt2".into(),
            ..error
        };
        assert!(explain(&error).ends_with("give it with --model net.pt2, and name the images"));
    }

    #[test]
    fn pictures_of_the_wrong_size_have_a_way_on() {
        let error = ImageError::ResizedTooLarge {
            from_width: 50,
            from_height: 1,
            width: 5_000_000,
            height: 100_000,
        };
        let advice = next_step(&error).unwrap();
        assert!(advice.contains("a smaller --resize or --crop"), "{advice}");
        let error = LoaderError::Sizes {
            path: PathBuf::new(),
            size: [1, 2],
            other: PathBuf::new(),
            other_size: [3, 4],
        };
        let advice = next_step(&error).unwrap();
        assert!(advice.contains("one size with --crop"), "{advice}");
    }

    #[test]
    fn names_without_an_order_have_a_way_on() {
        let (path, first, second) = (PathBuf::new(), PathBuf::new(), PathBuf::new());
        let (other, more) = (first.clone(), second.clone());
        let names = String::new();
        for error in [
            CheckpointError::NoNumber { names },
            CheckpointError::Ambiguous { first, second },
            CheckpointError::SameStep {
                step: 1,
                first: other,
                second: more,
            },
            CheckpointError::OutOfRange { path },
        ] {
            let advice = next_step(&error).unwrap();
            assert!(advice.contains("--step index"), "{advice}");
            let captures = advice.contains("--step, such as 'epoch(\\d+)'");
            let is_ambiguous = matches!(error, CheckpointError::Ambiguous { .. });
            assert_eq!(captures, is_ambiguous, "{advice}");
        }
    }
}
