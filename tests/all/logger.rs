//! `FeatureLogger` as a library user has it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use burn::tensor::{Device, Tensor, TensorData};
use feature_grid::{Picture, Range};
use rayon::prelude::*;
use tempfile::tempdir;
use tensorboard_events::Value;
use vggscope::logger::{FeatureLogger, Logged, LoggerError};

use crate::program::support::{events, picture, steps, tags};

/// Maps of `shape` that differ in every value: `[1, channels, height, width]`.
fn maps(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..1000_u16)
        .map(|i| (f32::from(i) * 0.7).sin())
        .take(count)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn everything_that_was_logged_is_in_the_file() {
    let folder = tempdir().unwrap();
    let run = folder.path().join("run");
    let written = Arc::new(Mutex::new(Vec::new()));
    let seen_by_callback = Arc::clone(&written);
    let logger = FeatureLogger::builder(&run)
        .range(Range::Layer)
        .max_maps(3)
        .about(|| "* weights: mine\n".to_owned())
        .on_written(move |step, title| {
            seen_by_callback
                .lock()
                .unwrap()
                .push((step, title.to_owned()));
        })
        .create()
        .unwrap();
    logger.describe("feature_maps/conv1", "**conv1**");
    let device = Device::flex();
    for n in [3, 5, 8] {
        let mut step = logger.step(n).unwrap();
        step.set_title(format!("step {n}"));
        step.feature_maps("feature_maps/conv1", maps([1, 4, 6, 5], &device))
            .unwrap();
        step.kernels("kernels/conv1", maps([8, 3, 3, 3], &device))
            .unwrap();
        step.image("input", Picture::rgb(2, 1, vec![1, 2, 3, 4, 5, 6]));
        step.scalar("loss", 0.25_f32);
        step.text("note", "*hello*");
        step.histogram("weights", &[1.0, 2.0, 3.0]);
        step.finish();
    }
    let outcome = logger.finish().unwrap();
    assert_eq!(outcome.steps, 3);
    assert!(outcome.non_finite.is_empty());

    let seen = events(&run);
    let all = [
        "feature_maps/conv1",
        "input",
        "kernels/conv1",
        "loss",
        "note",
        "weights",
    ];
    assert_eq!(tags(&seen), all);
    // Five numbers of the maps and of the kernels: none is NaN or infinite.
    assert_eq!(outcome.tags.len(), all.len() + 2 * 5);
    let numbers = ["range/conv1/max", "range/kernels/conv1/std"];
    for tag in numbers {
        assert_eq!(steps(&seen, tag), [3, 5, 8], "{tag}");
    }
    for tag in all {
        assert_eq!(steps(&seen, tag), [3, 5, 8], "{tag}");
    }
    let first = &seen
        .iter()
        .find(|one| one.tag == "feature_maps/conv1")
        .unwrap();
    for part in [
        "**conv1**: 3 of 4 feature maps: 0 to 2\n",
        "* weights: mine",
    ] {
        assert!(first.description.contains(part), "{}", first.description);
    }
    assert_eq!(
        picture(&seen, "input", 5),
        (2, 1, 3, vec![1, 2, 3, 4, 5, 6])
    );
    let titles = [3, 5, 8].map(|n| (n, format!("step {n}")));
    assert_eq!(*written.lock().unwrap(), titles);
}

/// An abandoned step, as after a failed forward pass.
#[test]
fn a_step_that_is_not_finished_leaves_nothing() {
    let folder = tempdir().unwrap();
    let logger = FeatureLogger::builder(folder.path()).create().unwrap();
    let device = Device::flex();
    for n in 0..4 {
        let mut step = logger.step(n).unwrap();
        step.feature_maps("maps", maps([1, 2, 4, 4], &device))
            .unwrap();
        step.scalar("loss", 1.0);
        if n % 2 == 1 {
            step.finish();
        }
    }
    assert_eq!(logger.finish().unwrap().steps, 2);
    let seen = events(folder.path());
    assert_eq!(steps(&seen, "maps"), [1, 3]);
    assert_eq!(steps(&seen, "loss"), [1, 3]);
    // The first that was written carries the description.
    assert!(seen[0].description.contains("2 of 2 feature maps"));
}

#[test]
fn a_step_that_cannot_be_rendered_leaves_nothing_and_is_reported() {
    let folder = tempdir().unwrap();
    let logger = FeatureLogger::builder(folder.path())
        .range(Range::Fixed(1.0, -1.0))
        .create()
        .unwrap();
    let device = Device::flex();
    let mut step = logger.step(0).unwrap();
    step.scalar("loss", 1.0);
    step.finish();
    let mut step = logger.step(1).unwrap();
    step.scalar("loss", 1.0);
    step.feature_maps("maps", maps([1, 2, 4, 4], &device))
        .unwrap();
    step.finish();
    let error = logger.finish().unwrap_err();
    assert!(
        matches!(&error, LoggerError::Render(tag, _) if tag == "maps"),
        "{error}"
    );
    let seen = events(folder.path());
    assert_eq!(steps(&seen, "loss"), [0]);
    assert_eq!(tags(&seen), ["loss"]);
}

#[test]
fn the_reason_comes_out_at_the_next_step() {
    let folder = tempdir().unwrap();
    let logger = FeatureLogger::builder(folder.path()).create().unwrap();
    let twice = |logger: &FeatureLogger| {
        logger.step(7).map(|mut step| {
            step.scalar("loss", 1.0);
            step.finish();
        })
    };
    // A tag's steps must rise.
    let error = (0..10).find_map(|_| twice(&logger).err()).unwrap();
    assert!(matches!(error, LoggerError::Events(_)), "{error}");
    assert!(matches!(logger.finish(), Err(LoggerError::Stopped)));
}

#[test]
fn what_cannot_be_logged_is_refused_at_once() {
    let folder = tempdir().unwrap();
    let logger = FeatureLogger::builder(folder.path()).create().unwrap();
    let device = Device::flex();
    let mut step = logger.step(0).unwrap();
    for (error, expected) in [
        (
            step.feature_maps("maps", maps([2, 2, 4, 4], &device)),
            "maps: feature maps of shape [2, 2, 4, 4], expected those of one image",
        ),
        (
            step.kernels("kernels", maps([2, 5, 3, 3], &device)),
            "kernels",
        ),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// libtorch's convolutions give channels-last maps; they are read as they lie.
#[cfg(feature = "libtorch")]
#[test]
fn the_memory_layout_makes_no_difference() {
    let folder = tempdir().unwrap();
    let logger = FeatureLogger::builder(folder.path()).create().unwrap();
    let planar = maps([1, 7, 9, 5], &libtorch());
    let interleaved = planar.clone().permute([0, 2, 3, 1]);
    let interleaved = Tensor::<4>::from_data(interleaved.into_data(), &libtorch());
    let mut step = logger.step(0).unwrap();
    step.feature_maps("planar", planar).unwrap();
    step.feature_maps("interleaved", interleaved.permute([0, 3, 1, 2]))
        .unwrap();
    step.feature_maps("flex", maps([1, 7, 9, 5], &Device::flex()))
        .unwrap();
    step.finish();
    logger.finish().unwrap();
    let seen = events(folder.path());
    let planar = picture(&seen, "planar", 0);
    assert_eq!(picture(&seen, "interleaved", 0), planar);
    assert_eq!(picture(&seen, "flex", 0), planar);
}

#[cfg(feature = "libtorch")]
#[allow(deprecated, reason = "Burn 0.22 is the last release with libtorch")]
fn libtorch() -> Device {
    Device::libtorch()
}

/// Values with gradients can be logged as they are.
#[test]
fn tensors_of_a_training_can_be_logged() {
    let folder = tempdir().unwrap();
    let logger = FeatureLogger::builder(folder.path()).create().unwrap();
    let with_gradients = maps([4, 3, 3, 3], &Device::flex().autodiff()).require_grad();
    let mut step = logger.step(0).unwrap();
    step.kernels("with", with_gradients).unwrap();
    step.kernels("without", maps([4, 3, 3, 3], &Device::flex()))
        .unwrap();
    step.finish();
    logger.finish().unwrap();
    let seen = events(folder.path());
    assert_eq!(picture(&seen, "with", 0), picture(&seen, "without", 0));
}

/// `NumPy`, in float64: `x = np.sin(np.arange(1000, dtype='f4') * np.float32(0.7))[:120] * 4.8e21`, `y = x + 2.4e21`,
/// `x @ y / np.linalg.norm(x) / np.linalg.norm(y)` and `np.linalg.norm(y - x) / np.linalg.norm(x)`.
#[test]
fn maps_whose_squares_are_not_finite_in_single_precision_are_compared() {
    let folder = tempdir().unwrap();
    let builder = FeatureLogger::builder(folder.path()).compare(true);
    let logger = builder.create().unwrap();
    let first = maps([1, 4, 6, 5], &Device::flex()) * 4.8e21;
    for (n, maps) in [(0, first.clone()), (1, first + 2.4e21)] {
        let mut step = logger.step(n).unwrap();
        step.feature_maps("feature_maps/conv1", maps).unwrap();
        step.finish();
    }
    logger.finish().unwrap();
    let seen = events(folder.path());
    for (name, expected) in [("cosine", 0.820_942_84), ("distance", 0.706_946_66)] {
        let tag = format!("similarity/conv1/{name}_to_first");
        let found = seen.iter().find(|one| one.tag == tag).unwrap();
        let Value::Scalar(found) = found.value else {
            panic!("{tag}")
        };
        assert!((f64::from(found) - expected).abs() < 1e-6, "{tag} {found}");
    }
}

/// Logs four steps of maps, waiting for each.
fn log_four(folder: &Path) -> Result<Logged, LoggerError> {
    let logger = FeatureLogger::builder(folder).create()?;
    for n in 0..4 {
        let mut step = logger.step(n)?;
        step.feature_maps("maps", maps([1, 8, 9, 9], &Device::flex()))?;
        step.finish();
        logger.flush()?;
    }
    logger.finish()
}

/// Loggers that rendered on the pool they were waited for from waited for ever.
#[test]
fn more_loggers_than_a_pool_has_threads_finish() {
    let folder = tempdir().unwrap();
    let log_all = |name: &str, count: usize| {
        let log = |n: usize| log_four(&folder.path().join(format!("{name}-{n}")));
        let logged = (0..count).into_par_iter().map(log);
        let logged: Vec<Logged> = logged.collect::<Result<_, _>>().unwrap();
        assert!(logged.iter().all(|logged| logged.steps == 4), "{logged:?}");
    };
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| log_all(&format!("of-{threads}"), 2 * threads));
    }
    log_all("global", rayon::current_num_threads() + 1);
}

#[test]
fn a_logger_has_one_step_at_a_time_whichever_thread_opens_it() {
    let folder = tempdir().unwrap();
    let logger = FeatureLogger::builder(folder.path()).create().unwrap();
    let first = logger.step(0).unwrap();
    assert!(matches!(logger.step(1), Err(LoggerError::StepOpen)));
    assert!(matches!(logger.flush(), Err(LoggerError::StepOpen)));
    first.finish();
    for n in 1..4 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut step = logger.step(n).unwrap();
                step.scalar("loss", 1.0);
                step.finish();
                logger.flush().unwrap();
            });
        });
    }
    // One that is dropped gives way too.
    drop(logger.step(4).unwrap());
    logger.step(5).unwrap().finish();
    assert_eq!(logger.finish().unwrap().steps, 5);
    assert_eq!(steps(&events(folder.path()), "loss"), [1, 2, 3]);
}
