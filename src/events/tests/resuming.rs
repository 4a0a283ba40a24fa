use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use super::super::file::{EventFile, EventFileError};
use super::super::graph::{Graph, GraphNode};
use super::super::read::{Content, EventReader, survey};
use super::super::run_folder::seconds_behind;
use super::super::summary::Summary;
use super::picture;

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

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
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
        assert_eq!(seconds_behind(OsStr::new(last), now), expected, "{last}");
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
    for step in 1..=7 {
        first.write_step(step, loss(0.0)).unwrap();
    }
    let before = fs::read(first.path()).unwrap();

    let mut file = EventFile::resume(run.path(), 5).unwrap();
    let error = file.write_step(4, loss(1.0)).unwrap_err();
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "the run is continued from step 5, expected that step or a later one"
    );
    file.write_step(5, loss(1.0)).unwrap();
    assert_eq!(contents(file.path())[1], (5, Content::SessionStart));
    assert_eq!(survey(file.path()).unwrap().steps["loss"], [5]);
    assert_eq!(fs::read(first.path()).unwrap(), before);
    assert_eq!(contents(first.path())[1], (0, Content::SessionStart));
}

#[test]
fn a_run_without_event_files_begins() {
    let logdir = tempdir().unwrap();
    let run = logdir.path().join("a/b");
    let mut file = EventFile::resume(&run, 3).unwrap();
    assert_eq!(file.outdated_tags().count(), 0);
    assert_eq!(contents(file.path())[1], (3, Content::SessionStart));
    file.write_step(3, loss(1.0)).unwrap();
}

#[test]
fn tags_with_void_values_are_told_until_they_are_written() {
    let run = tempdir().unwrap();
    let mut first = EventFile::create(run.path()).unwrap();
    first.write_step(0, vec![picture("input")]).unwrap();
    for step in [10, 20] {
        let maps = vec![picture("maps"), picture("kernels")];
        first.write_step(step, maps).unwrap();
    }
    first.write_step(21, loss(0.0)).unwrap();
    let bytes = fs::metadata(first.path()).unwrap().len();
    let cut = File::options().write(true).open(first.path()).unwrap();
    cut.set_len(bytes - 1).unwrap();

    let tags =
        |file: &EventFile| -> Vec<String> { file.outdated_tags().map(str::to_owned).collect() };
    assert!(tags(&EventFile::resume(run.path(), 21).unwrap()).is_empty());
    assert_eq!(
        tags(&EventFile::resume(run.path(), 0).unwrap()),
        ["input", "kernels", "maps"]
    );
    let mut file = EventFile::resume(run.path(), 15).unwrap();
    assert_eq!(tags(&file), ["kernels", "maps"]);
    assert!(file.write_step(14, vec![picture("maps")]).is_err());
    assert_eq!(tags(&file), ["kernels", "maps"]);
    file.write_step(15, vec![picture("maps"), picture("input")])
        .unwrap();
    assert_eq!(tags(&file), ["kernels"]);
    // Where it was cut short it still is.
    assert_eq!(fs::metadata(first.path()).unwrap().len(), bytes - 1);
}

#[test]
fn the_graph_of_a_run_is_written_once() {
    let graph = Graph {
        nodes: vec![GraphNode {
            name: "input".to_owned(),
            ..GraphNode::default()
        }],
    };
    let run = tempdir().unwrap();
    EventFile::create(run.path()).unwrap();
    let mut second = EventFile::resume(run.path(), 3).unwrap();
    assert!(second.write_graph(&graph).unwrap() > 0);
    let steps = survey(second.path()).unwrap().steps;
    assert_eq!(steps["__run_graph__"], [0]);
    let mut third = EventFile::resume(run.path(), 3).unwrap();
    assert_eq!(third.write_graph(&graph).unwrap(), 0);
    // From the very beginning again, the graph too.
    let mut fourth = EventFile::resume(run.path(), 0).unwrap();
    assert_eq!(fourth.outdated_tags().count(), 0);
    assert!(fourth.write_graph(&graph).unwrap() > 0);
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
            "cannot continue the run: TensorBoard would read a new event file before `{}`, not \
             after it; move that file away, or go on in a new run (--run)",
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
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains(lost.to_str().unwrap()), "{source}");
    assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
}

/// A folder cannot be read as a file, though it can be opened.
#[cfg(target_os = "linux")]
#[test]
fn an_earlier_file_that_cannot_be_read_is_an_error() {
    let run = tempdir().unwrap();
    let link = run.path().join("events.out.tfevents.1700000000.a.1.0");
    std::os::unix::fs::symlink(run.path(), &link).unwrap();
    let error = EventFile::resume(run.path(), 1).unwrap_err();
    assert!(matches!(error, EventFileError::Earlier(_)), "{error}");
    assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
}
