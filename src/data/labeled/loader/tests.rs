use super::*;
use crate::data::labeled::open::Sample;
use crate::data::transform::Preset;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

fn samples(count: usize) -> Arc<[Sample]> {
    let sample = |n: usize| Sample {
        path: PathBuf::from(format!("{n}.png")),
        class: n % 2,
    };
    (0..count).map(sample).collect()
}

fn work(threads: usize, on_error: OnError) -> Work {
    Work {
        threads: NonZeroUsize::new(threads).unwrap(),
        on_error,
        notes: InputNotes::default(),
    }
}

fn plan(batch: usize) -> Batching {
    Batching {
        batch: NonZeroUsize::new(batch).unwrap(),
        seed: 1,
        epochs: u64::MAX,
    }
}

fn ready(sample: usize) -> LoadedImage {
    let picture = Picture::rgb(1, 1, vec![u8::try_from(sample % 256).unwrap(); 3]);
    let pixels = Preset::Caffe.preprocess().normalize.apply(&picture);
    LoadedImage { picture, pixels }
}

/// A loader of `count` samples in batches of two, around a `prepare` of the test's own.
#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn loader(
    count: usize,
    work: Work,
    prepare: impl Fn(Position, usize) -> Result<LoadedImage, LoadError> + Send + Sync + 'static,
) -> Loader {
    let plan = plan(2);
    let batches = plan.shuffled(count, Position::default());
    Loader::with(samples(count), batches, plan.batches(count), &work, prepare).unwrap()
}

#[test]
fn a_crash_is_an_error_of_its_file_and_nothing_hangs() {
    let crash = |_, sample| match sample {
        3 => panic!("index out of bounds\nbacktrace"),
        _ => Ok(ready(sample)),
    };
    let stopped: Vec<_> = loader(6, work(2, OnError::Stop), crash).collect();
    let Some(Err(
        error @ LoaderError::Image(LoadError {
            error: ImageError::Crashed(_),
            ..
        }),
    )) = stopped.last()
    else {
        panic!("{stopped:?}");
    };
    assert!(
        error
            .to_string()
            .starts_with("3.png: reading it crashed (index out of bounds),")
    );
    assert!(stopped.len() <= 3, "nothing follows an error");

    // One thread: the one that met the bug goes on.
    let mut skipping = loader(6, work(1, OnError::Skip), crash);
    let batches: Vec<Batch> = skipping.by_ref().take(9).map(Result::unwrap).collect();
    let mut read: Vec<usize> = batches.iter().flat_map(|b| b.samples.clone()).collect();
    read.sort_unstable();
    let expected: Vec<usize> = [0, 1, 2, 4, 5].iter().flat_map(|n| [*n; 3]).collect();
    assert_eq!(read, expected);
    let reports: Vec<&String> = batches.iter().flat_map(|b| &b.skipped).collect();
    assert_eq!(reports.len(), 1, "three epochs, one report: {reports:?}");
}

#[test]
fn two_batches_are_made_ahead_and_no_more() {
    let (sender, made) = channel();
    // Where there are no more threads than samples in a batch.
    let mut loader = loader(1000, work(2, OnError::Stop), move |at, sample| {
        sender.send(at.batch).unwrap();
        Ok(ready(sample))
    });
    for taken in 0..50 {
        // Waits for both; no more than they come, however fast the threads are.
        while made.recv_timeout(Duration::from_mins(1)).unwrap() < taken + 1 {}
        assert!(made.try_iter().all(|batch| batch <= taken + 1));
        loader.next().unwrap().unwrap();
    }
}

#[test]
fn what_is_ready_is_what_comes_next() {
    let crash = |_, sample| match sample {
        3 => panic!("a bug"),
        _ => Ok(ready(sample)),
    };
    let expected: Vec<_> = loader(6, work(1, OnError::Stop), crash).collect();
    let mut loader = loader(6, work(1, OnError::Stop), crash);
    let mut found = Vec::new();
    while found.len() < expected.len() {
        found.extend(loader.ready());
        std::thread::yield_now();
    }
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    assert!(found.last().unwrap().is_err());
    assert!(loader.ready().is_none() && loader.next().is_none());
}

#[test]
fn dropping_it_ends_its_threads() {
    let held = Arc::new(());
    let of_threads = Arc::clone(&held);
    let mut loader = loader(100, work(2, OnError::Stop), move |_, sample| {
        let _ = &of_threads;
        Ok(ready(sample))
    });
    loader.next().unwrap().unwrap();
    drop(loader);
    assert_eq!(Arc::strong_count(&held), 1, "only the threads had another");
}

#[test]
fn what_was_asked_for_must_be_possible() {
    let recipe = Recipe {
        augment: None,
        eval: Preset::Imagenet.preprocess(),
    };
    let train = |count, plan, batch| {
        let from = Position { epoch: 2, batch };
        let work = work(1, OnError::Stop);
        Loader::train(&samples(count), &recipe, plan, from, &work).map(drop)
    };
    assert!(matches!(train(0, plan(4), 0), Err(LoaderError::NoSamples)));
    let error = train(10, plan(4), 3).unwrap_err().to_string();
    assert!(
        error.contains("batch 3 of epoch 2: an epoch has 3 batches"),
        "{error}"
    );
    train(10, plan(4), 2).unwrap();
    let preprocess = recipe.eval;
    let eval = Loader::eval(&[], &preprocess, NonZeroUsize::MIN, &work(1, OnError::Stop));
    assert!(matches!(eval, Err(LoaderError::NoSamples)));
}

/// A bug outside of what is caught for each image.
#[test]
fn a_thread_that_crashes_is_an_error_and_no_end() {
    let specs = (0..4_u64).map(|batch| {
        assert!(batch < 3, "a bug of the plan");
        BatchPlan {
            at: Position { epoch: 0, batch },
            after: Position {
                epoch: 0,
                batch: batch + 1,
            },
            samples: vec![0],
        }
    });
    let work = work(1, OnError::Stop);
    let mut loader =
        Loader::with(samples(1), specs, 3, &work, |_, sample| Ok(ready(sample))).unwrap();
    assert_eq!(loader.by_ref().take(2).filter_map(Result::ok).count(), 2);
    assert!(matches!(loader.next(), Some(Err(LoaderError::Stopped))));
    assert!(loader.next().is_none());
}
