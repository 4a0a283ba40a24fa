//! Images that are prepared ahead: order, bound, errors.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::decoding::fixture;
use crate::data::ahead::Ahead;
use crate::data::error::{ImageError, LoadError};
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::data::prepared::prepare_ahead;
use crate::data::transform::Preset;

/// Longer than anything here takes; a test fails by it only where threads wait for each other.
const NEVER: Duration = Duration::from_mins(1);

fn ahead<R: Send + 'static>(
    count: usize,
    threads: usize,
    most: usize,
    make: impl Fn(usize) -> R + Send + Sync + 'static,
) -> impl Iterator<Item = R> {
    Ahead::start(0..count, threads, most, Arc::default(), make).unwrap()
}

#[test]
fn the_order_is_kept_where_a_later_one_is_ready_first() {
    let made: Vec<AtomicBool> = (0..40).map(|_| AtomicBool::new(false)).collect();
    let began = Instant::now();
    let prepared = ahead(40, 2, 2, move |number| {
        let next_is_made = || made[number + 1].load(Ordering::Relaxed);
        while number % 2 == 0 && !next_is_made() {
            assert!(began.elapsed() < NEVER);
            thread::yield_now();
        }
        made[number].store(true, Ordering::Relaxed);
        number
    });
    assert!(prepared.eq(0..40));
}

#[test]
fn no_more_are_made_ahead_than_asked_for() {
    let (sender, begun) = channel();
    let mut prepared = ahead(100, 3, 9, move |number| {
        sender.send(number).unwrap();
        number
    });
    for _ in 0..9 {
        assert!(begun.recv_timeout(NEVER).unwrap() < 9);
    }
    for taken in 0..91 {
        assert!(begun.try_recv().is_err(), "{taken} were taken");
        assert_eq!(prepared.next(), Some(taken));
        assert_eq!(begun.recv_timeout(NEVER), Ok(taken + 9));
    }
    assert!(prepared.eq(91..100));
}

#[test]
fn it_ends_before_an_item_whose_thread_panicked() {
    let prepared = ahead(9, 2, 6, |number| {
        assert_ne!(number, 5);
        number
    });
    assert!(prepared.eq(0..5));
    assert_eq!(ahead(0, 2, 6, |number| number).next(), None);
}

#[test]
fn an_image_that_cannot_be_read_is_an_error_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "b.jpg", "c.jpg", "d.jpg"] {
        fs::copy(fixture("decode/420.jpg"), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("b.jpg"), "text").unwrap();
    let files = list_images(&[folder.path().to_owned()], &InputNotes::default()).unwrap();
    let prepared = prepare_ahead(files, Preset::Imagenet.preprocess(), 1);
    let names: Vec<_> = prepared
        .map(|image| match image {
            Ok(image) => image.name,
            Err(LoadError {
                error: ImageError::NotAnImage { .. },
                ..
            }) => "unreadable".to_owned(),
            Err(error) => panic!("{error}"),
        })
        .collect();
    assert_eq!(names, ["a", "unreadable", "c", "d"]);
}
