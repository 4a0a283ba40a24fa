use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use super::picture;
use crate::error::EventFileError;
use crate::file::EventFile;
use crate::graph::{Graph, GraphNode};
use crate::inventory::Inventory;
use crate::read::{Content, EventReader, ReadError};
use crate::resume::whole_length;
use crate::run_folder::{event_files, publish, published, seconds_behind};
use crate::summary::Summary;

fn loss(value: f32) -> Vec<Summary> {
    vec![Summary::scalar("loss", value)]
}

/// An event file of that name with a loss at each of `steps`.
fn written(path: &Path, steps: &[i64]) {
    let mut file = EventFile::begin(File::create_new(path).unwrap(), path).unwrap();
    for &step in steps {
        file.write_step(step, loss(0.0)).unwrap();
    }
}

fn contents(path: &Path) -> Vec<(i64, Content)> {
    EventReader::open(path)
        .unwrap()
        .map(|event| event.unwrap())
        .map(|event| (event.step, event.content))
        .collect()
}

/// The steps of each tag in all event files of a run, read strictly one after the other.
fn steps(run: &Path) -> BTreeMap<String, Vec<i64>> {
    let mut steps = BTreeMap::<_, Vec<_>>::new();
    for file in event_files(run).unwrap() {
        for (tag, more) in steps_of(&file) {
            steps.entry(tag).or_default().extend(more);
        }
    }
    steps
}

/// The same of one file, which is whole.
fn steps_of(file: &Path) -> BTreeMap<String, Vec<i64>> {
    let inventory = Inventory::of(&[file.to_owned()]);
    assert!(inventory.is_whole(), "{:?}", inventory.files);
    let tags = inventory.tags.into_iter();
    tags.map(|(tag, values)| (tag, values.slow)).collect()
}

fn graph() -> Graph {
    Graph {
        nodes: vec![GraphNode {
            name: "input".to_owned(),
            ..GraphNode::default()
        }],
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// As XFS and ext4 leave a file that was not synced.
#[test]
fn a_file_of_which_only_the_length_reached_the_disk_is_begun_anew() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("events.out.tfevents.1700000000.a.1.0");
    fs::write(&path, [0; 139]).unwrap();
    assert_eq!(whole_length(&path).unwrap(), 0);
    let mut file = EventFile::resume(folder.path(), 0).unwrap();
    file.write_step(3, loss(0.5)).unwrap();
    drop(file);
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    assert_eq!(
        steps(folder.path()),
        BTreeMap::from([("loss".into(), vec![3])])
    );
    // One that begins so and has more is truncated there too; nothing of it can be found.
    fs::write(&path, [&[0; 512][..], b"more"].concat()).unwrap();
    assert_eq!(whole_length(&path).unwrap(), 0);
}

#[test]
fn names_come_behind_all_others() {
    let cases = [
        (
            "events.out.tfevents.1700000000.a.1.0",
            1_700_000_001,
            Some(1_700_000_001),
        ),
        // The same second, whatever process and host.
        (
            "events.out.tfevents.1700000000.a.1.0",
            1_700_000_000,
            Some(1_700_000_001),
        ),
        // The clock was set back.
        (
            "events.out.tfevents.1700000000.z.9.9",
            1_600_000_000,
            Some(1_700_000_001),
        ),
        (
            "events.out.tfevents.1700000000.a.1.0.v2",
            0,
            Some(1_700_000_001),
        ),
        // By other programs or hands.
        (
            "events.out.tfevents.17000000009",
            1_700_000_000,
            Some(1_700_000_001),
        ),
        ("a.tfevents", 1_700_000_000, Some(1_700_000_000)),
        ("events.out.tfevents.", 5, Some(5)),
        ("events.out.tfevents.old", 1_700_000_000, None),
        ("events.out.tfevents.999.a", 1_700_000_000, None),
        ("z.tfevents", 1_700_000_000, None),
        // The last second of ten digits.
        ("events.out.tfevents.9999999998.a", 0, Some(9_999_999_999)),
        ("events.out.tfevents.9999999999.a", 0, None),
        ("a.tfevents", 10_000_000_000, None),
    ];
    for (last, now, expected) in cases {
        let found = seconds_behind(Some(Path::new(last)), now);
        assert_eq!(found, expected, "{last}");
    }
}

#[test]
fn a_continued_run_has_its_file_behind_all_others() {
    let run = tempdir().unwrap();
    let later = run
        .path()
        .join("events.out.tfevents.4000000000.zzz.99999999.99");
    written(&later, &[1]);
    let mut files = vec![later];
    for _ in 0..3 {
        let file = EventFile::resume(run.path(), 2).unwrap();
        files.push(file.path().to_owned());
    }
    let mut sorted = files.clone();
    sorted.sort();
    assert_eq!(files, sorted);
    assert!(name(&files[3]).starts_with("events.out.tfevents.4000000003."));
}

#[test]
fn a_continued_run_says_from_which_step() {
    let run = tempdir().unwrap();
    let mut first = EventFile::create(run.path()).unwrap();
    for step in 1..=4 {
        first.write_step(step, loss(0.0)).unwrap();
    }
    let path = first.path().to_owned();
    let before = fs::read(&path).unwrap();
    for step in 5..=7 {
        first.write_step(step, loss(0.0)).unwrap();
    }
    drop(first);

    let mut file = EventFile::resume(run.path(), 5).unwrap();
    let error = file.write_step(4, loss(1.0)).unwrap_err();
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "the run is resumed from step 5, expected that step or a later one"
    );
    file.write_step(5, loss(1.0)).unwrap();
    assert_eq!(contents(file.path())[1], (5, Content::SessionStart));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(steps(run.path())["loss"], [1, 2, 3, 4, 5]);
}

#[test]
fn a_run_without_event_files_begins() {
    let logdir = tempdir().unwrap();
    let run = logdir.path().join("a/b");
    let mut file = EventFile::resume(&run, 3).unwrap();
    assert_eq!(contents(file.path())[1], (3, Content::SessionStart));
    file.write_step(3, loss(1.0)).unwrap();
}

/// Killed three times, in the middle of a record: the last time before the second file was any use.
#[test]
fn a_run_can_be_continued_again_and_again() {
    let run = tempdir().unwrap();
    let write = |mut file: EventFile, steps: std::ops::RangeInclusive<i64>| {
        for step in steps {
            let mut summaries = loss(0.0);
            if step % 10 == 0 {
                summaries.push(picture("sparse"));
            }
            file.write_step(step, summaries).unwrap();
        }
        let path = file.path().to_owned();
        let bytes = file.close().unwrap();
        let cut = File::options().write(true).open(&path).unwrap();
        cut.set_len(bytes - 1).unwrap();
        path
    };
    let first = write(EventFile::create(run.path()).unwrap(), 1..=25);
    let second = write(EventFile::resume(run.path(), 15).unwrap(), 15..=31);
    assert_eq!(steps_of(&first)["loss"], (1..=14).collect::<Vec<_>>());
    let third = write(EventFile::resume(run.path(), 12).unwrap(), 12..=33);
    assert_eq!(steps_of(&first)["sparse"], [10]);
    // It is there still, for a TensorBoard that is reading it.
    let session = (15, Content::SessionStart);
    assert_eq!(contents(&second)[1..], [session]);
    let mut file = EventFile::resume(run.path(), 21).unwrap();
    file.write_step(21, loss(1.0)).unwrap();
    assert_eq!(steps_of(&third)["sparse"], [20]);
    let steps = steps(run.path());
    assert_eq!(steps["loss"], (1..=21).collect::<Vec<_>>());
    assert_eq!(steps["sparse"], [10, 20]);
}

#[test]
fn the_graph_of_a_run_is_written_once() {
    let run = tempdir().unwrap();
    EventFile::create(run.path()).unwrap();
    let mut second = EventFile::resume(run.path(), 3).unwrap();
    assert!(second.write_graph(&graph()).unwrap() > 0);
    drop(second);
    let mut third = EventFile::resume(run.path(), 1).unwrap();
    assert_eq!(third.write_graph(&graph()).unwrap(), 0);
    drop(third);
    assert_eq!(steps(run.path())["__run_graph__"], [0]);
    // From the very beginning again, the graph too.
    let mut fourth = EventFile::resume(run.path(), 0).unwrap();
    assert!(fourth.write_graph(&graph()).unwrap() > 0);
    assert_eq!(steps(run.path())["__run_graph__"], [0]);
}

/// Locks belong to open files, so a second handle stands for another process. On Windows there are
/// none.
#[cfg(not(windows))]
#[test]
fn no_file_is_cut_while_one_is_being_written() {
    let run = tempdir().unwrap();
    let mut first = EventFile::create(run.path()).unwrap();
    first.write_step(7, loss(0.0)).unwrap();
    let refused = |path: &Path| {
        let error = EventFile::resume(run.path(), 5).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is still being written by another process",
                path.display()
            )
        );
    };
    let path = first.path().to_owned();
    refused(&path);
    drop(first);
    let first = path;
    let second = EventFile::resume(run.path(), 8).unwrap();
    let path = second.path().to_owned();
    refused(&path);
    drop(second);
    let second = path;
    let other = File::open(&second).unwrap();
    other.lock().unwrap();
    refused(&second);
    assert_eq!(steps_of(&first)["loss"], [7]);
    assert_eq!(event_files(run.path()).unwrap().len(), 2);
    drop(other);
    EventFile::resume(run.path(), 5).unwrap();
    assert!(steps_of(&first).is_empty());
}

#[test]
fn no_file_is_cut_beside_one_that_is_no_event_file() {
    let run = tempdir().unwrap();
    let first = run.path().join("events.out.tfevents.1700000000.a.1.0");
    written(&first, &[1, 2]);
    let before = fs::read(&first).unwrap();
    let notes = run.path().join("about-tfevents.txt");
    fs::write(&notes, "not to be lost").unwrap();
    let error = EventFile::resume(run.path(), 1).unwrap_err();
    assert!(matches!(
        error,
        EventFileError::Earlier(ReadError::Version { .. })
    ));
    assert_eq!(error.to_string(), "cannot resume");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains(notes.to_str().unwrap()), "{source}");
    assert_eq!(fs::read(&first).unwrap(), before);
    assert_eq!(fs::read(&notes).unwrap(), b"not to be lost");
    assert_eq!(fs::read_dir(run.path()).unwrap().count(), 2);
}

#[test]
fn a_run_that_cannot_be_continued_is_an_error() {
    let logdir = tempdir().unwrap();
    let file = logdir.path().join("file");
    File::create(&file).unwrap();
    let error = EventFile::resume(&file, 1).unwrap_err();
    assert!(matches!(error, EventFileError::CreateFolder { .. }));

    let run = logdir.path().join("run");
    fs::create_dir(&run).unwrap();
    let last: PathBuf = run.join("z.tfevents");
    written(&last, &[1]);
    let error = EventFile::resume(&run, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "TensorBoard would read any new event file before `{}`, not after it",
            last.display()
        )
    );
    assert_eq!(fs::read_dir(&run).unwrap().count(), 1);
}

/// A link to a file on a disk that was taken away.
#[cfg(unix)]
#[test]
fn an_earlier_file_that_cannot_be_opened_is_named() {
    let run = tempdir().unwrap();
    let lost = run.path().join("events.out.tfevents.1700000000.a.1.0");
    std::os::unix::fs::symlink("nowhere", &lost).unwrap();
    let error = EventFile::resume(run.path(), 1).unwrap_err();
    assert!(matches!(error, EventFileError::OpenEarlier { .. }));
    assert_eq!(
        error.to_string(),
        format!("cannot resume: `{}` cannot be opened", lost.display())
    );
    assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
}

/// Values that were written at the last step once there was no later one go, whatever their step.
#[test]
fn what_lies_behind_a_place_goes() {
    let folder = tempdir().unwrap();
    let scalar = |tag: &str| vec![Summary::scalar(tag, 1.0)];
    let mut first = EventFile::create(folder.path()).unwrap();
    first.write_step(1, scalar("a")).unwrap();
    first.write_step(2, scalar("a")).unwrap();
    let place = first.position();
    first.write_step(2, scalar("end")).unwrap();
    first.close().unwrap();
    let mut second = EventFile::resume(folder.path(), 3).unwrap();
    second.write_step(3, scalar("a")).unwrap();
    second.close().unwrap();
    let third = EventFile::resume_behind(folder.path(), &place, 3).unwrap();
    third.close().unwrap();
    let files = event_files(folder.path()).unwrap();
    let inventory = Inventory::of(&files);
    assert!(inventory.is_whole() && files.len() == 3);
    let tags: Vec<&String> = inventory.tags.keys().collect();
    assert_eq!(tags, ["a"]);
    assert_eq!(inventory.tags["a"].values, 2);
    assert_eq!(whole_length(&files[0]).unwrap(), place.length);
    assert_eq!(whole_length(&folder.path().join("none")).unwrap(), 0);
}

#[test]
fn joined_files_are_seen_once_they_are_published() {
    let folder = tempdir().unwrap();
    let parts = ["part-0", "part-1"].map(|name| folder.path().join(name));
    for (first, part) in [(0, &parts[0]), (2, &parts[1])] {
        let mut file = EventFile::create(part).unwrap();
        file.write_graph(&graph()).unwrap();
        for step in first..first + 2 {
            file.write_step(step, vec![Summary::scalar("a", 1.0)])
                .unwrap();
        }
        file.close().unwrap();
    }
    fs::write(folder.path().join("events.out.part.left"), "").unwrap();
    let mut joined = EventFile::join(folder.path(), &parts).unwrap();
    // They are in the file, which has the graph of one.
    let whole = whole_length(joined.path()).unwrap();
    assert!(whole > 200 && whole == fs::metadata(joined.path()).unwrap().len());
    assert_eq!(steps_of(joined.path())["__run_graph__"], [0]);
    assert_eq!(joined.write_graph(&graph()).unwrap(), 0);
    joined
        .write_step(3, vec![Summary::scalar("b", 1.0)])
        .unwrap();
    let hidden = joined.path().to_owned();
    joined.close().unwrap();
    assert!(event_files(folder.path()).unwrap().is_empty());
    let path = publish(&hidden).unwrap();
    assert_eq!(published(&hidden), path);
    assert_eq!(event_files(folder.path()).unwrap(), [path]);
    let inventory = Inventory::of(&event_files(folder.path()).unwrap());
    assert!(inventory.is_whole());
    assert_eq!(inventory.tags["a"].slow, [0, 1, 2, 3]);
    assert_eq!(inventory.tags["b"].slow, [3]);
    // A part that is damaged.
    let damaged = &event_files(&parts[1]).unwrap()[0];
    let bytes = fs::read(damaged).unwrap();
    fs::write(damaged, &bytes[..bytes.len() - 1]).unwrap();
    let error = EventFile::join(folder.path(), &parts).unwrap_err();
    assert!(error.to_string().contains("cannot join"), "{error}");
    // Of a single part its own graph.
    let alone = EventFile::join(folder.path(), &parts[..1]).unwrap();
    assert_eq!(steps_of(alone.path())["__run_graph__"], [0]);
}
