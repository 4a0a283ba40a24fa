//! `vggscope checkpoints` where a run goes on of which files are damaged or gone.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::continued::{LINE, args, grams, of_steps, put, run_of, sweep, weights_of};
use crate::program::support::{Place, event_files, steps};

/// The files by which all steps are shown.
const KEPT: [&str; 3] = ["ranges.toml", "channels.toml", "bases.safetensors"];

/// What is missing, or cannot be read, is made again: nothing twice, nothing lost.
#[test]
fn the_event_file_is_the_truth() {
    let place = Place::on_cpu();
    for step in 1..=3 {
        put(&place, step);
    }
    sweep(&place, "").ok();
    let state = place.path("runs/a/state.jsonl");
    let text = std::fs::read_to_string(&state).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    let shows_all = || assert_eq!(steps(&run_of(&place), "kernels/00_conv1_1"), [1, 2, 3]);
    // The last line, an unfinished one, and a damaged one.
    for (kept, said) in [
        (lines[..4].join("\n") + "\n", ""),
        (lines[..3].join("\n") + "\n{\"step\":3,", ""),
        (
            lines[..3].join("\n") + "\n{}\n",
            "the steps after 2 are made again",
        ),
        (lines[0].to_owned() + "\n", ""),
    ] {
        std::fs::write(&state, kept).unwrap();
        let ran = sweep(&place, "").ok();
        assert!(ran.err().contains(said), "{}", ran.err());
        shows_all();
        assert_eq!(std::fs::read_to_string(&state).unwrap().lines().count(), 5);
    }
    // Event files that are cut off, and gone; Gram matrices, and the configuration.
    let files = event_files(&place.path("runs/a"));
    let file = std::fs::File::options()
        .write(true)
        .open(files.last().unwrap())
        .unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let ran = sweep(&place, "").ok();
    assert!(ran.err().contains("are made again"), "{}", ran.err());
    shows_all();
    for path in event_files(&place.path("runs/a")) {
        std::fs::remove_file(path).unwrap();
    }
    std::fs::write(place.path("runs/a/config.toml"), "").unwrap();
    let ran = sweep(&place, "").ok();
    assert!(
        ran.err().contains("all steps are made again"),
        "{}",
        ran.err()
    );
    shows_all();
    assert!(
        std::fs::read_to_string(place.path("runs/a/config.toml"))
            .unwrap()
            .contains("layers")
    );
    let ran = sweep(&place, "").ok();
    assert!(
        ran.err()
            .contains("shows every checkpoint already: 3 steps"),
        "{}",
        ran.err()
    );
    // Without a state nobody knows what is in the event file.
    for text in ["", "{\"state\":1", "\0\0\0\0\n"] {
        std::fs::write(&state, text).unwrap();
        sweep(&place, "").fails(1, &["no whole state.jsonl", "name another --run"]);
    }
    std::fs::remove_file(&state).unwrap();
    sweep(&place, "").fails(1, &["no whole state.jsonl"]);
    shows_all();
}

/// Where a trainer keeps only its newest checkpoints, the run says what it compares with.
#[test]
fn earlier_files_may_be_gone() {
    let place = Place::on_cpu();
    for step in [1, 2] {
        put(&place, step);
    }
    sweep(&place, "").ok();
    for (gone, next, part) in [
        (
            1,
            3,
            "compared with epoch_2.safetensors instead of the first",
        ),
        (
            2,
            4,
            "compared with epoch_3.safetensors instead of the first",
        ),
    ] {
        std::fs::remove_file(place.path(&format!("ckpts/epoch_{gone}.safetensors"))).unwrap();
        put(&place, next);
        let ran = sweep(&place, "").ok();
        assert!(ran.err().contains(part), "{}", ran.err());
    }
    for step in [3, 4] {
        std::fs::remove_file(place.path(&format!("ckpts/epoch_{step}.safetensors"))).unwrap();
    }
    put(&place, 5);
    let ran = sweep(&place, "").ok();
    assert!(
        ran.err().contains("no file of the earlier steps"),
        "{}",
        ran.err()
    );
    assert_eq!(
        steps(&run_of(&place), "kernels/00_conv1_1"),
        [1, 2, 3, 4, 5]
    );
    // The Gram matrices of all steps are there for later.
    place.write("ckpts/epoch_6.safetensors", weights_of(6));
    sweep(&place, "").ok();
    assert_eq!(grams(&place), [1, 2, 3, 4, 5, 6]);
}

/// As `kill -9` leaves it, at some moment: every tag has every step once in the end.
#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let place = Place::on_cpu();
    for step in 1..=6 {
        put(&place, step);
    }
    for (kill, follow) in [(0, ""), (1, "--follow=1s"), (2, ""), (3, "--follow=1s")] {
        let mut child = place
            .command(&format!("{LINE} {follow}"), &args("chelsea.png"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(250 + 130 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sweep(&place, "").ok();
    let seen = run_of(&place);
    for tag in [
        "feature_maps/chelsea/11_relu3_1",
        "kernels/00_conv1_1",
        "range/00_conv1_1/max",
    ] {
        assert_eq!(steps(&seen, tag), [1, 2, 3, 4, 5, 6], "{tag}");
    }
    for tag in [
        "similarity/11_relu3_1/cka_to_first",
        "weight_change/05_conv2_1/to_previous",
    ] {
        assert_eq!(steps(&seen, tag), [2, 3, 4, 5, 6], "{tag}");
    }
}

/// All steps of a run have the ranges, channels and bases that it began with.
#[test]
fn ranges_channels_and_bases_stay_those_of_the_first_steps() {
    let flags = "--maps top:1 --change --range run";
    let run = |harm: &dyn Fn(&Path)| {
        let place = Place::on_cpu();
        for step in 1..=2 {
            put(&place, step);
        }
        sweep(&place, flags).ok();
        harm(&place.path("runs/a"));
        // Far from the others.
        put(&place, 200);
        let ran = sweep(&place, flags).ok();
        let kept = KEPT.map(|name| std::fs::read(place.path("runs/a").join(name)).unwrap());
        (of_steps(&run_of(&place)), kept, ran.err())
    };
    let expected = run(&|_| ());
    assert!(!expected.2.contains("written again"), "{}", expected.2);
    let gone = |folder: &Path| {
        for name in KEPT {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
    };
    let damaged = |folder: &Path| {
        for (name, bytes) in KEPT.iter().zip([&b"\0\0\0"[..], b"", b"\0\0"]) {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    };
    for harm in [&gone as &dyn Fn(&Path), &damaged] {
        let found = run(harm);
        for name in KEPT {
            let said = format!("{name} is not as the run left it, and is written again");
            assert!(found.2.contains(&said), "{}", found.2);
        }
        assert!(found.1 == expected.1);
        assert!(found.0 == expected.0);
    }
}

/// Neither are the ranges of another run's file, which may have been made anew.
#[test]
fn ranges_of_a_file_stay_as_they_were() {
    let place = Place::on_cpu();
    put(&place, 1);
    sweep(&place, "--range run --run other").ok();
    let file = place.path("runs/other/ranges.toml");
    let flags = format!("--range {}", file.display());
    sweep(&place, &flags).ok();
    let ranges = || std::fs::read_to_string(place.path("runs/a/ranges.toml")).unwrap();
    let before = ranges();
    std::fs::write(&file, before.replace("[-", "[-9")).unwrap();
    assert_ne!(std::fs::read_to_string(&file).unwrap(), before);
    put(&place, 2);
    sweep(&place, &flags).ok();
    assert_eq!(ranges(), before);
}

/// All changes are shown against the same weights.
#[test]
fn another_file_of_change_is_refused() {
    let place = Place::on_cpu();
    put(&place, 1);
    let file = place.write("base.safetensors", weights_of(7));
    let flags = format!("--change={}", file.display());
    sweep(&place, &flags).ok();
    put(&place, 2);
    std::fs::write(&file, weights_of(8)).unwrap();
    sweep(&place, &flags).fails(2, &["runs/a", "other weights", "--run"]);
    std::fs::write(&file, weights_of(7)).unwrap();
    sweep(&place, &flags).ok();
}

/// What cannot be made again is kept: nothing that is damaged takes a whole step with it.
#[test]
fn steps_whose_checkpoints_are_gone_are_kept() {
    let place = Place::on_cpu();
    for step in 1..=3 {
        put(&place, step);
    }
    sweep(&place, "").ok();
    let checkpoint = |step: u8| place.path(&format!("ckpts/epoch_{step}.safetensors"));
    std::fs::remove_file(checkpoint(2)).unwrap();
    place.write("runs/a/grams/000001.safetensors", "damaged");
    put(&place, 4);
    let ran = sweep(&place, "").ok();
    assert!(ran.err().contains("grams: lacks step 1"), "{}", ran.err());
    let shown = || steps(&run_of(&place), "kernels/00_conv1_1");
    assert_eq!(shown(), [1, 2, 3, 4]);
    assert_eq!(grams(&place), [2, 3, 4]);
    // Killed before what follows the last step was there.
    let state = place.path("runs/a/state.jsonl");
    let text = std::fs::read_to_string(&state).unwrap();
    let end = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&state, &text[..end]).unwrap();
    std::fs::remove_file(checkpoint(4)).unwrap();
    sweep(&place, "--follow=1s").ok();
    assert_eq!(shown(), [1, 2, 3, 4]);
}
