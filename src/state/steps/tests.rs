use std::fs::File;
use std::path::PathBuf;

use super::*;
use crate::data::checkpoints::Checkpoint;
use crate::state::network::RunNetwork;
use tensorboard_events::{EventFile, Summary};

fn run_of(probe_images: &str) -> RunOf {
    RunOf {
        settings: toml::toml! { layers = "conv1_1" },
        probe_images: probe_images.to_owned(),
        comparison_images: None,
        change_file: None,
        network: RunNetwork::default(),
        part: None,
    }
}

fn checkpoint(folder: &Path, step: i64, bytes: &[u8]) -> Checkpoint {
    let name = format!("epoch_{step}.pth");
    let path = folder.join(&name);
    fs::write(&path, bytes).unwrap();
    Checkpoint { path, name, step }
}

fn entry(file: &Checkpoint) -> Entry {
    Entry::read(file).unwrap()
}

/// A run with the steps 1 to 4 in its event file, of which the state knows where each ends.
fn run(folder: &Path) -> PathBuf {
    let writer = State::new(run_of("p")).write(folder).unwrap();
    let mut events = EventFile::create(folder).unwrap();
    for step in 1..5 {
        writer.expect(entry(&checkpoint(folder, step, &[1; 9])));
        events
            .write_step(step, vec![Summary::scalar("a", 1.0)])
            .unwrap();
        writer.durable(step, events.position());
    }
    writer.check().unwrap();
    let path = events.path().to_owned();
    events.close().unwrap();
    path
}

fn steps(state: &State) -> Vec<i64> {
    state.shown().map(|entry| entry.step).collect()
}

#[test]
fn steps_count_as_far_as_the_event_file_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let events = run(folder);
    let read = || State::read(folder).unwrap().unwrap();
    assert_eq!(steps(&read()), [1, 2, 3, 4]);
    assert!(!read().is_shortened() && !read().has_ended());
    // Killed in the middle of a line.
    let path = folder.join(STATE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.clone() + "{\"step\":5,\"na").unwrap();
    assert_eq!((steps(&read()).len(), read().is_shortened()), (4, false));
    // A power failure left less of the event file.
    let file = File::options().write(true).open(&events).unwrap();
    let whole = file.metadata().unwrap().len();
    file.set_len(whole - 1).unwrap();
    assert_eq!(
        (steps(&read()), read().is_shortened()),
        (vec![1, 2, 3], true)
    );
    let third = read().position().unwrap();
    file.set_len(third.length).unwrap();
    assert_eq!(steps(&read()), [1, 2, 3]);
    fs::remove_file(&events).unwrap();
    assert_eq!((steps(&read()), read().is_shortened()), (Vec::new(), true));
}

#[test]
fn the_end_is_that_of_the_last_step() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(folder);
    let read = || State::read(folder).unwrap().unwrap();
    let writer = read().write(folder).unwrap();
    writer.leave_out(&checkpoint(folder, 5, b""));
    assert!(!read().has_ended());
    writer.end(Some(4), 0).unwrap();
    assert!(read().has_ended());
    assert_eq!(read().left_out().count(), 1);
    read().write(folder).unwrap();
    assert!(read().has_ended());
    let mut cut = read();
    cut.cut_from(4);
    cut.write(folder).unwrap();
    assert_eq!((steps(&read()), read().has_ended()), (vec![1, 2, 3], false));
    // Of another step than the last one.
    cut.write(folder).unwrap().end(Some(4), 0).unwrap();
    assert!(!read().has_ended());
}

#[test]
fn a_file_is_the_same_if_its_content_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path(), 1, &[1; 9]);
    let entry = entry(&file);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    let touch = || {
        File::options()
            .append(true)
            .open(&file.path)
            .unwrap()
            .set_modified(later)
    };
    touch().unwrap();
    assert!(entry.is_of(&file));
    fs::write(&file.path, [2; 9]).unwrap();
    touch().unwrap();
    assert!(!entry.is_of(&file));
    fs::write(&file.path, [1; 8]).unwrap();
    assert!(!entry.is_of(&file));
    fs::remove_file(&file.path).unwrap();
    assert!(!entry.is_of(&file));
}

#[test]
fn damaged_lines_do_not_count_nor_do_those_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(State::read(folder).unwrap().is_none());
    run(folder);
    let path = folder.join(STATE);
    let text = fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    for damage in [&b"\0\0\0\n"[..], b"[]\n", b"\xff\xff\n", b"{\"step\":2}\n"] {
        let damaged = [lines[0], lines[1], damage, lines[3]].concat();
        fs::write(&path, damaged).unwrap();
        let read = State::read(folder).unwrap().unwrap();
        assert_eq!((steps(&read), read.is_shortened()), (vec![1], true));
        fs::write(&path, damage).unwrap();
        assert!(State::read(folder).unwrap().is_none());
    }
    // Steps of other settings.
    let other = String::from_utf8_lossy(lines[2]).replace("\"settings\":", "\"settings\":1");
    fs::write(&path, [lines[0], lines[1], other.as_bytes()].concat()).unwrap();
    assert_eq!(steps(&State::read(folder).unwrap().unwrap()), [1]);
    // A path out of the folder.
    let other = String::from_utf8_lossy(lines[2]).replace("\"events\":\"", "\"events\":\"./");
    fs::write(&path, [lines[0], lines[1], other.as_bytes()].concat()).unwrap();
    assert_eq!(steps(&State::read(folder).unwrap().unwrap()), [1]);
    let newer = String::from_utf8_lossy(lines[0]).replace("\"state\":1", "\"state\":2");
    fs::write(&path, newer).unwrap();
    let error = State::read(folder).err().unwrap().to_string();
    assert!(error.contains("state.jsonl has the format 2"), "{error}");
}
