//! Trainings that were killed early, or lost a file.

use super::{NARROW, course, crops, data, run_of, saved_steps, train};
use crate::program::support::{Place, photo, steps, weights};

const SHORT: &str = "--steps 4 --save-every 2";

/// Before its first checkpoint: with logged steps, with none, and with nothing but its folder.
#[test]
fn a_training_that_was_killed_before_its_first_checkpoint_begins_again() {
    let place = Place::on_cpu();
    train(&place, &format!("--run whole {SHORT}")).ok();
    let whole = run_of(&place, "runs/whole");
    train(&place, "--run a --steps 3 --save-every off").ok();
    std::fs::remove_dir_all(place.path("runs/a/checkpoints")).unwrap();
    train(&place, &format!("--run a {SHORT}")).fails(1, &["already holds a run", "--resume"]);
    std::fs::create_dir_all(place.path("runs/b/checkpoints")).unwrap();
    let begun = place.path("runs/c");
    drop(tensorboard_events::EventFile::create(&begun).unwrap());
    let config = std::fs::read_to_string(place.path("runs/a/config.toml")).unwrap();
    place.write(
        "runs/c/config.toml",
        config.replace("run = \"a\"", "run = \"c\""),
    );
    place.write("runs/c/checkpoints/step_000000.optimizer.0123.part", "half");
    for run in ["a", "b", "c"] {
        let ran = train(&place, &format!("--run {run} {SHORT} --resume")).ok();
        let note = format!("runs/{run} holds no checkpoint: beginning again at step 0");
        assert!(ran.err().contains(&note), "{}", ran.err());
        let seen = run_of(&place, &format!("runs/{run}"));
        assert_eq!(course(&seen), course(&whole), "{run}");
        assert_eq!(
            steps(&seen, "feature_maps/chelsea/00_conv1_1"),
            [0, 1, 2, 3, 4]
        );
        assert_eq!(saved_steps(&place, &format!("runs/{run}")), [0, 2, 4]);
    }
}

#[test]
fn a_run_of_another_command_is_not_begun_again() {
    let place = Place::new();
    let narrow = format!("--weights={}", weights().display());
    let args = [narrow.into(), photo("chelsea.png").into_os_string()];
    place.run("images --run a --layers conv1_1", &args).ok();
    train(&place, "--run a --steps 2 --resume").fails(1, &["nothing to resume", "runs/a"]);
    assert_eq!(
        steps(&run_of(&place, "runs/a"), "feature_maps/00_conv1_1"),
        [0]
    );
}

/// The newest checkpoint holds the settings.
#[test]
fn a_lost_configuration_is_taken_from_the_checkpoint() {
    let place = Place::on_cpu();
    train(&place, "--run whole --steps 6 --save-every 2 --seed 3").ok();
    train(&place, "--run a --steps 4 --save-every 2 --seed 3").ok();
    let config = place.path("runs/a/config.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    let resume = |more: &str| {
        let line = format!("train --resume {more} --config");
        place.run(&line, &[&config])
    };
    std::fs::remove_file(&config).unwrap();
    let done = resume("").ok();
    assert!(done.err().contains("step 4 of 4"), "{}", done.err());
    std::fs::write(&config, "").unwrap();
    let ran = resume("--steps 5").ok();
    let note = "config.toml is lost: with the settings of the newest checkpoint";
    assert!(ran.err().contains(note), "{}", ran.err());
    assert_eq!(
        std::fs::read_to_string(&config).unwrap(),
        written.replace("steps = 4", "steps = 5")
    );
    std::fs::write(&config, [0; 200]).unwrap();
    resume("--steps 6").ok();
    assert_eq!(
        course(&run_of(&place, "runs/a"))["train/loss"],
        course(&run_of(&place, "runs/whole"))["train/loss"]
    );
    // Without a checkpoint it is gone.
    std::fs::write(&config, "").unwrap();
    std::fs::remove_dir_all(place.path("runs/a/checkpoints")).unwrap();
    resume("").fails(2, &["runs/a/config.toml", "lost", "repeat the command"]);
}

/// `nohup` has it ignored.
#[cfg(unix)]
#[test]
fn a_training_under_nohup_outlives_its_terminal() {
    use std::process::{Command, Stdio};

    let place = Place::new();
    let program = place.command(&format!("{NARROW} --run a --steps 12"), &data(&crops()));
    let mut command = Command::new("nohup");
    command.arg(program.get_program()).args(program.get_args());
    command.current_dir(place.path("")).stdin(Stdio::null());
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    while !place
        .path("runs/a/checkpoints/step_000000.safetensors")
        .exists()
    {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let sent = Command::new("kill")
        .args(["-HUP", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        ended.status.success() && !said.contains("ending after"),
        "{said}"
    );
    assert_eq!(saved_steps(&place, "runs/a").last(), Some(&12));
}

/// A file that gets larger than it may: one line, and what comes before stays.
#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let place = Place::new();
    let program = place.command(&format!("{NARROW} --run a --steps 9"), &data(&crops()));
    let mut command = assert_cmd::Command::new("bash");
    command.args(["-c", "ulimit -f 300; exec \"$@\"", "bash"]);
    command.arg(program.get_program()).args(program.get_args());
    let ended = command.current_dir(place.path("")).output().unwrap();
    crate::program::support::Ran::of(ended).fails(1, &["runs/a", "--resume"]);
}

/// The newest checkpoint holds the ranges and bases that the steps so far were shown with.
#[test]
fn a_training_is_shown_with_the_ranges_and_bases_that_it_began_with() {
    let place = Place::on_cpu();
    let flags = "--run a --save-every 2 --range run --change";
    train(&place, &format!("{flags} --steps 2")).ok();
    let files =
        ["ranges.toml", "bases.safetensors"].map(|name| (name, place.path("runs/a").join(name)));
    let written = files
        .each_ref()
        .map(|(_, file)| std::fs::read(file).unwrap());
    for (_, file) in &files {
        std::fs::remove_file(file).unwrap();
    }
    let ran = train(&place, &format!("{flags} --steps 4 --resume")).ok();
    for ((name, file), written) in files.iter().zip(written) {
        let said = format!("{name} is not as the run left it");
        assert!(ran.err().contains(&said), "{}", ran.err());
        assert!(std::fs::read(file).unwrap() == written, "{name}");
    }
}
