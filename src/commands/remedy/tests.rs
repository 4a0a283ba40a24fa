//! What is said of errors.

use std::io;
use std::path::{Path, PathBuf};

use super::{explain, next_step};
use crate::data::checkpoints::CheckpointError;
use crate::data::error::{ImageError, LoadError};
use crate::data::find::FindError;
use crate::data::labeled::LoaderError;
use crate::device::BackendError;
use crate::logger::LoggerError;
use crate::weights::imagenet::{DownloadError, ImagenetError};
use crate::weights::{WeightsError, WeightsErrorKind};
use feature_grid::RenderError;
use feature_grid::png::PngError;
use tensorboard_events::{EventFileError, ReadError, StepError};

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

#[test]
fn advice_follows_what_happened() {
    let path = || PathBuf::from("runs/a/events");
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    let cases = [
        (
            EventFileError::CreateFolder(path(), io::ErrorKind::NotADirectory.into()),
            "cannot create the run folder `runs/a/events`: not a directory; check that its \
             parent is writable, or choose another with --logdir or --run",
        ),
        (
            EventFileError::Busy(path()),
            "`runs/a/events` is still being written by another process; stop that first, or \
             choose another --run",
        ),
        (
            EventFileError::Earlier(ReadError::Version {
                path: path(),
                found: "something else".to_owned(),
            }),
            "cannot resume: `runs/a/events` begins with something else, expected the version \
             `brain.Event:2` of an event file; move that file away, or start a new run (--run)",
        ),
        (
            EventFileError::NoLaterName(path()),
            "TensorBoard would read any new event file before `runs/a/events`, not after it; \
             move that file away, or start a new run (--run)",
        ),
        (
            EventFileError::OpenEarlier(path(), io::ErrorKind::NotFound.into()),
            "cannot resume: `runs/a/events` cannot be opened: entity not found; check that it \
             exists and is readable and writable",
        ),
        (
            EventFileError::Step {
                path: path(),
                step: 2,
                source: StepError::Write(full()),
            },
            "cannot write step 2 to `runs/a/events`: the file ends with the step before, and takes \
             no more: no storage space; free space on that disk, then repeat the command (`train` \
             with --resume, `images` in another --run)",
        ),
        (
            EventFileError::Sync(path(), full()),
            "`runs/a/events` was written but may be incomplete on the disk: no storage space; \
             check whether that disk is full or was disconnected, then repeat the command (`train` \
             with --resume, `images` in another --run)",
        ),
        (
            EventFileError::Step {
                path: path(),
                step: 3,
                source: StepError::KindChanged {
                    tag: "maps".to_owned(),
                    expected: "images".to_owned(),
                    found: "text".to_owned(),
                },
            },
            "cannot write step 3 to `runs/a/events`: tag `maps` has images, found text; choose \
             another tag",
        ),
    ];
    for (error, text) in cases {
        assert_eq!(explain(&error), text);
    }
}

#[test]
fn a_picture_that_is_too_large_has_a_way_out() {
    let advice = next_step(&RenderError::TooLarge {
        count: 3,
        tile_width: 1 << 30,
        tile_height: 2,
    });
    assert!(advice.is_some_and(|advice| advice.contains("--min-tile")));
    let advice = next_step(&PngError::Size(1 << 31, 1));
    assert_eq!(advice.as_deref(), Some("show fewer or smaller maps"));
    let read = RenderError::Read("unplugged".to_owned().into());
    assert_eq!(next_step(&read), None);
}

#[test]
fn a_step_that_cannot_be_drawn_is_drawn_on_the_host_unless_memory_is_short() {
    let draw = |source| LoggerError::Draw("conv1_1".to_owned(), source);
    let advice = next_step(&draw(BackendError::Other("illegal address".to_owned())));
    assert!(advice.is_some_and(|advice| advice.contains("VGGSCOPE_RENDER=host")));
    let short = draw(BackendError::OutOfMemory("20 MiB".to_owned()));
    let advice = next_step(&short);
    assert!(advice.is_some_and(|advice| advice.contains("a smaller --crop")));
}

#[test]
fn flags_that_help_are_named() {
    let of = |kind| explain(&WeightsError::new(Path::new("a.pth"), kind));
    let found = vec!["net.".to_owned()];
    let key = "swa".to_owned();
    let framework = |is_bgr| WeightsErrorKind::Framework { what: "", is_bgr };
    for (text, advice) in [
        (
            of(WeightsErrorKind::Ambiguous(found.clone())),
            "; choose one with --weights-key",
        ),
        (of(WeightsErrorKind::NoKey { key, found }), "--weights-key"),
        (of(framework(true)), "--preset caffe"),
        (of(framework(false)), "--weights imagenet"),
        (
            explain(&ImagenetError::Unavailable {
                file: "vgg16.pth".to_owned(),
                locations: Vec::new(),
                url: "http://localhost/".to_owned(),
                source: DownloadError::BrokeOff {
                    got: 1,
                    source: io::ErrorKind::UnexpectedEof.into(),
                },
            }),
            "put the file there, or pass --weights FILE",
        ),
        (
            explain(&ImagenetError::NoCache("vgg16.pth".to_owned())),
            "VGGSCOPE_CACHE, or pass --weights FILE",
        ),
    ] {
        assert!(text.contains(advice), "{text}");
    }
}
