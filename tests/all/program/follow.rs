//! `vggscope checkpoints --follow` while files come, change and go.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use tensorboard_events::{Content, EventReader};

use super::continued::{self, args, at_rest, grams, put, run_of, sweep, weights_of};
use crate::program::support::{Place, Ran, event_files, photo, steps};

const LINE: &str = "--run a --resize 32 --crop 32 --layers conv1_1 --compare off";

/// A run that follows its folder.
struct Following {
    place: Place,
    child: Child,
}

impl Following {
    /// With checkpoints that are there from the beginning, once so many are shown. One that grows keeps it alive.
    fn start(there: &[u8], grows: u8, flags: &str, shown: usize) -> Self {
        let place = Place::on_cpu();
        for step in there {
            put(&place, *step);
        }
        half(&place, grows);
        let line = format!("checkpoints ckpts {LINE} --follow=1s {flags} --images");
        let child = place
            .command(&line, &[photo("chelsea.png")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut following = Self { place, child };
        while shown_by(&following.place).len() < shown {
            following.assert_runs();
            thread::sleep(Duration::from_millis(50));
        }
        following
    }

    fn assert_runs(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it ended");
    }

    /// What it said once it ended, and the steps that it shows.
    fn end(self, expected: &[i64]) -> Ran {
        let ran = Ran::of(self.child.wait_with_output().unwrap());
        assert_eq!(shown_by(&self.place), expected, "{}", ran.err());
        ran
    }
}

/// Begins to write a checkpoint.
fn half(place: &Place, step: u8) {
    let bytes = weights_of(step);
    let name = format!("ckpts/epoch_{step}.safetensors");
    place.write(&name, &bytes[..bytes.len() / 2]);
}

/// The steps so far, while the file is written too.
fn shown_by(place: &Place) -> Vec<i64> {
    let run = place.path("runs/a");
    let files = run.is_dir().then(|| event_files(&run));
    let events = files
        .into_iter()
        .flatten()
        .flat_map(|file| EventReader::open(&file));
    let mut steps = Vec::new();
    for event in events.flat_map(|events| events.map_while(Result::ok)) {
        if let Content::Summaries(values) = event.content
            && values.iter().any(|value| value.tag == "kernels/00_conv1_1")
        {
            steps.push(event.step);
        }
    }
    steps
}

#[test]
fn a_file_that_grows_keeps_the_run_alive() {
    let mut following = Following::start(&[1], 2, "", 1);
    thread::sleep(Duration::from_secs(3));
    following.assert_runs();
    put(&following.place, 2);
    following.end(&[1, 2]).ok();
}

#[test]
fn the_end_of_standard_input_ends_the_run_once_all_is_shown() {
    let place = Place::on_cpu();
    put(&place, 1);
    let line = format!("checkpoints ckpts {LINE} --follow=stdin --images");
    let mut child = place
        .command(&line, &[photo("chelsea.png")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let training = child.stdin.take().unwrap();
    let mut following = Following { place, child };
    while shown_by(&following.place).is_empty() {
        following.assert_runs();
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_secs(1));
    following.assert_runs();
    // Written just before the training ends, so not at rest yet.
    put(&following.place, 2);
    drop(training);
    following.end(&[1, 2]).ok();
}

#[test]
fn a_file_that_is_replaced_is_noted() {
    let following = Following::start(&[1, 2], 3, "", 2);
    following
        .place
        .write("ckpts/epoch_1.safetensors", weights_of(9));
    put(&following.place, 3);
    let err = following.end(&[1, 2, 3]).ok().err();
    assert!(
        err.contains("epoch_1.safetensors changed after it came"),
        "{err}"
    );
    // No line a step: this is no terminal.
    assert!(err.matches("  epoch_").count() < 3, "{err}");
}

/// The last checkpoint was called gone, for the list ended at the file that was new.
#[test]
fn a_file_that_is_replaced_before_the_run_goes_on_is_noted() {
    let place = Place::on_cpu();
    let sweep = || {
        place.run(
            &format!("checkpoints ckpts {LINE} --follow=1s --images"),
            &[photo("chelsea.png")],
        )
    };
    for step in 1..=3 {
        put(&place, step);
    }
    sweep().ok();
    place.write("ckpts/epoch_2.safetensors", weights_of(9));
    let err = sweep().ok().err();
    assert!(
        err.contains("left out: epoch_2.safetensors changed since it was shown"),
        "{err}"
    );
    assert!(
        !err.contains("gone") && !err.contains("epoch_3.safetensors came"),
        "{err}"
    );
    assert_eq!(shown_by(&place), [1, 2, 3]);
}

#[test]
fn a_folder_that_goes_ends_the_run_with_one_line() {
    let remove = |place: &Place| {
        let (there, gone) = (place.path("ckpts"), place.path("gone"));
        fs::rename(&there, gone).unwrap();
        there
    };
    let gone = "there is no such file or folder";
    let empty = "no checkpoint in this folder";
    let link = "a link to ckpts, which leads nowhere";
    let file = "was a folder of checkpoints, and is a file now";
    for why in [gone, empty, link, file] {
        let following = Following::start(&[1], 2, "", 1);
        let there = remove(&following.place);
        if why == empty {
            fs::create_dir(&there).unwrap();
        }
        if why == file {
            fs::write(&there, "a note").unwrap();
        }
        #[cfg(unix)]
        if why == link {
            std::os::unix::fs::symlink("ckpts", &there).unwrap();
        }
        let ran = following.end(&[1]).fails(1, &["ckpts", why]);
        assert!(ran.err().matches(why).count() <= 2, "{}", ran.err());
    }
}

#[test]
fn a_damaged_file_hides_none_behind_it() {
    let damaged = |place: &Place, step: u8| {
        half(place, step);
        at_rest(&place.path(&format!("ckpts/epoch_{step}.safetensors")));
    };
    let place = Place::on_cpu();
    let sweep = || {
        let line = format!("checkpoints ckpts {LINE} --follow=1s --images");
        place.run(&line, &[photo("chelsea.png")])
    };
    damaged(&place, 2);
    sweep().fails(
        1,
        &[
            "all 1 checkpoints were skipped",
            "epoch_2.safetensors is incomplete",
        ],
    );
    put(&place, 1);
    put(&place, 3);
    sweep().fails(1, &["skipped", "epoch_2.safetensors is incomplete"]);
    assert_eq!(shown_by(&place), [1, 3]);
}

#[test]
fn every_nth_stays_so_when_a_file_comes_late() {
    let following = Following::start(&[10, 20, 40, 50], 60, "--every 2", 2);
    for step in [15, 70, 80, 60] {
        put(&following.place, step);
    }
    let err = following.end(&[10, 40, 60, 80]).ok().err();
    assert!(
        err.contains("epoch_15.safetensors came after a later step"),
        "{err}"
    );
}

/// Opening it would wait for a writer.
#[cfg(unix)]
#[test]
fn a_pipe_is_left_out() {
    let place = Place::on_cpu();
    put(&place, 1);
    put(&place, 3);
    let pipe = place.path("ckpts/epoch_2.safetensors");
    let made = std::process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.unwrap().success());
    let line = format!("checkpoints ckpts/*.safetensors {LINE} --images");
    let ran = place.run(&line, &[photo("chelsea.png")]).ok();
    assert!(
        ran.err()
            .contains("epoch_2.safetensors (neither a file nor a folder)"),
        "{}",
        ran.err()
    );
    assert_eq!(shown_by(&place), [1, 3]);
}

/// In pieces, by renaming, and at once; one is damaged for good, and one comes late.
#[test]
fn checkpoints_are_shown_as_they_come() {
    let place = Place::on_cpu();
    std::fs::create_dir(place.path("ckpts")).unwrap();
    let line = format!("{} --follow=4s", continued::LINE);
    let child = place
        .command(&line, &args("chelsea.png"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let path = |step: u8| place.path(&format!("ckpts/epoch_{step}.safetensors"));
    let bytes = weights_of(1);
    for end in [0, 100, bytes.len() / 2, bytes.len()] {
        std::fs::write(path(1), &bytes[..end]).unwrap();
        thread::sleep(Duration::from_millis(300));
    }
    std::fs::write(place.path("ckpts/half.tmp"), weights_of(3)).unwrap();
    std::fs::rename(place.path("ckpts/half.tmp"), path(3)).unwrap();
    std::fs::write(path(4), &bytes[..bytes.len() / 2]).unwrap();
    at_rest(&path(4));
    thread::sleep(Duration::from_millis(2500));
    shown(&place, 3);
    put(&place, 2);
    put(&place, 5);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code(), 1, "{}", ran.err());
    for part in [
        "waiting for the first complete checkpoint",
        "epoch_4.safetensors is incomplete or damaged",
        "epoch_2.safetensors came after a later step",
    ] {
        assert!(ran.err().contains(part), "no {part:?} in {}", ran.err());
    }
    assert!(ran.out().contains("a: 3 steps"), "{}", ran.out());
    let seen = run_of(&place);
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), [1, 3, 5]);
    let strips = steps(&seen, "evolution/11_relu3_1");
    assert_eq!(strips.last(), Some(&5), "{strips:?}");
    assert_eq!(grams(&place), [1, 3, 5]);
    // What is damaged is so at the next start too.
    let again = sweep(&place, "--follow=1s").fails(1, &["skipped", "epoch_4.safetensors"]);
    assert!(again.err().contains("left out: "), "{}", again.err());
    // The same command goes on, and a followed run is continued without following.
    put(&place, 7);
    std::fs::remove_file(path(4)).unwrap();
    sweep(&place, "").ok();
    assert_eq!(steps(&run_of(&place), "kernels/00_conv1_1"), [1, 3, 5, 7]);
}

/// Waits until a step is on the disk.
fn shown(place: &Place, step: u8) {
    let line = format!("{{\"step\":{step},");
    for _ in 0..200 {
        let state = std::fs::read_to_string(place.path("runs/a/state.jsonl"));
        if state.is_ok_and(|state| state.contains(&line)) {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("step {step} was not shown");
}

#[test]
fn following_nothing_says_so() {
    let place = Place::on_cpu();
    std::fs::create_dir(place.path("ckpts")).unwrap();
    sweep(&place, "--follow=1s").fails(1, &["no complete checkpoint came", "--follow=TIME"]);
    assert!(!place.path("runs").exists());
    std::fs::remove_dir(place.path("ckpts")).unwrap();
    let ran = sweep(&place, "--follow=1s");
    assert!(
        ran.err().contains("ckpts: there is no such file or folder"),
        "{}",
        ran.err()
    );
    for old in [
        "--idle-exit 1s",
        "--follow --idle-exit 1s",
        "--idle-exit=1s --follow",
    ] {
        sweep(&place, old).fails(2, &["--idle-exit is gone: write --follow instead"]);
    }
    sweep(&place, "--follow=soon").fails(2, &["--follow", "10m"]);
    sweep(&place, "--follow --step index").fails(2, &["--follow", "--step REGEX"]);
}
