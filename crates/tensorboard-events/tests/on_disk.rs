//! Event files on a real disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use tempfile::tempdir;
use tensorboard_events::{
    Content, EventFile, EventFileError, EventReader, EventSink, Inventory, ReadError, Summary,
    event_files, is_event_file, whole_length,
};

fn picture(tag: &str) -> Summary {
    let png = include_bytes!("fixtures/grey.png").to_vec();
    Summary::image(tag, "", 3, 2, vec![png])
}

#[test]
fn a_run_is_written_and_listed() {
    let logdir = tempdir().unwrap();
    let run = logdir.path().join("photos/first");
    let mut file = EventFile::create(&run).unwrap();
    for step in [2, 4, 6] {
        file.write_step(step, vec![picture("maps"), picture("kernels")])
            .unwrap();
    }
    file.write_step(7, vec![Summary::scalar("loss", 0.5)])
        .unwrap();
    let path = file.path().to_owned();
    let bytes = file.close().unwrap();

    let found = Inventory::of(std::slice::from_ref(&path));
    assert!(found.is_whole());
    assert_eq!(found.files[0].whole, bytes);
    assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
    let steps: Vec<_> = found
        .tags
        .into_iter()
        .map(|(tag, values)| (tag, values.slow))
        .collect();
    let expected = [
        ("kernels", vec![2, 4, 6]),
        ("loss", vec![7]),
        ("maps", vec![2, 4, 6]),
    ];
    assert_eq!(steps, expected.map(|(tag, steps)| (tag.to_owned(), steps)));
}

#[test]
fn a_file_forgets_what_is_behind_a_place_and_goes_on_there() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"whole, half").unwrap();
    file.truncate(5).unwrap();
    file.write_all(b".").unwrap();
    file.sync().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole.");
}

#[cfg(unix)]
#[test]
fn a_file_that_was_deleted_is_not_on_the_disk() {
    let run = tempdir().unwrap();
    let mut file = EventFile::create(run.path()).unwrap();
    file.sync().unwrap();
    fs::remove_file(file.path()).unwrap();
    let error = file.sync().unwrap_err();
    assert!(matches!(error, EventFileError::Sync(..)), "{error}");
}

#[test]
fn what_is_no_event_file_by_its_name_or_cannot_be_opened() {
    let folder = tempdir().unwrap();
    for (name, expected) in [
        ("events.out.tfevents.1700000000.a.1.0", true),
        ("mine.tfevents", true),
        ("events.out.part.1700000000.a.1.0", false),
        ("state.jsonl", false),
    ] {
        assert_eq!(is_event_file(&folder.path().join(name)), expected, "{name}");
    }
    assert_eq!(whole_length(&folder.path().join("none")).unwrap(), 0);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = whole_length(&file.join("below")).unwrap_err();
    assert!(matches!(error, ReadError::Open(..)), "{error}");
}

#[test]
fn the_name_is_one_that_tensorboard_finds_and_sorts() {
    let run = tempdir().unwrap();
    let file = EventFile::create(run.path()).unwrap();
    let name = file.path().file_name().unwrap().to_str().unwrap();
    let rest = name.strip_prefix("events.out.tfevents.").unwrap();
    let (seconds, rest) = rest.split_once('.').unwrap();
    assert_eq!(seconds.len(), 10);
    assert!(seconds.parse::<u64>().unwrap() > 1_600_000_000);
    let end = format!(".{}.0", std::process::id());
    let host = rest.strip_suffix(&end).unwrap();
    assert!(!host.is_empty());
}

#[test]
fn files_of_one_second_do_not_meet() {
    let run = tempdir().unwrap();
    let files: Vec<_> = (0..20)
        .map(|_| EventFile::create(run.path()).unwrap())
        .collect();
    let mut paths: Vec<_> = files.iter().map(|file| file.path().to_owned()).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 20);
    for path in paths {
        let contents: Vec<_> = EventReader::open(&path)
            .unwrap()
            .map(|event| event.unwrap().content)
            .collect();
        let version = Content::FileVersion("brain.Event:2".to_owned());
        assert_eq!(contents, [version, Content::SessionStart]);
    }
}

#[test]
fn event_files_of_a_folder_are_found() {
    let logdir = tempdir().unwrap();
    let run = logdir.path().join("run");
    assert!(event_files(&run).unwrap().is_empty());
    fs::create_dir(&run).unwrap();
    assert!(event_files(&run).unwrap().is_empty());

    // A run inside this one, folders by such a name, and other files do not count.
    EventFile::create(&run.join("inner")).unwrap();
    fs::create_dir(run.join("old.tfevents")).unwrap();
    File::create(run.join("config.toml")).unwrap();
    assert!(event_files(&run).unwrap().is_empty());

    let by_hand = run.join("a.tfevents.v2");
    File::create(&by_hand).unwrap();
    EventFile::create(&run).unwrap();
    let found = event_files(&run).unwrap();
    assert_eq!((found.len(), &found[0]), (2, &by_hand));
}

#[test]
fn a_folder_that_cannot_be_listed_is_an_error() {
    let logdir = tempdir().unwrap();
    let file = logdir.path().join("file");
    File::create(&file).unwrap();
    assert!(event_files(&file).is_err());
}

#[test]
fn a_run_folder_that_cannot_be_made_is_named() {
    let logdir = tempdir().unwrap();
    let file = logdir.path().join("file");
    File::create(&file).unwrap();
    for run in [file.clone(), file.join("run")] {
        let error = EventFile::create(&run).unwrap_err();
        assert!(matches!(error, EventFileError::CreateFolder { .. }));
        assert_eq!(
            error.to_string(),
            format!("cannot create the run folder `{}`", run.display())
        );
    }
}

/// A system whose disk is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error_that_names_it() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let error = EventFile::begin(full, "/dev/full").unwrap_err();
    assert!(matches!(error, EventFileError::Begin { .. }));
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().starts_with("No space left on device"));
    assert!(error.to_string().contains("`/dev/full`"), "{error}");
}

#[test]
fn a_damaged_file_is_read_up_to_the_damage() {
    let run = tempdir().unwrap();
    let mut file = EventFile::create(run.path()).unwrap();
    file.write_step(1, vec![picture("maps")]).unwrap();
    let whole = file.bytes_written();
    file.write_step(2, vec![picture("maps")]).unwrap();
    let path = file.path().to_owned();
    let bytes = file.close().unwrap();

    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(bytes - 1)
        .unwrap();
    let mut found = Inventory::of(std::slice::from_ref(&path));
    assert_eq!(found.files[0].whole, whole);
    assert_eq!(found.tags["maps"].slow, [1]);
    let damage = found.files.remove(0).damage.unwrap();
    assert_eq!(
        damage.to_string(),
        format!(
            "`{}` can be read up to byte {whole} only; every step before that is whole",
            path.display()
        )
    );
    assert_eq!(
        std::error::Error::source(&damage).unwrap().to_string(),
        format!("the record at byte {whole} is truncated")
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = EventReader::open(Path::new("no/such.tfevents")).unwrap_err();
    assert!(matches!(error, ReadError::Open { .. }));
    assert!(error.to_string().contains("`no/such.tfevents`"));
}
