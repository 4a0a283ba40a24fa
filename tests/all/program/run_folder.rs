//! Where runs go: names that never collide, and no folder without a step.

use std::process::{Child, Stdio};

use tensorboard_events::EventFile;

use crate::program::support::{Place, Ran, events, photo, steps, weights};

fn narrow() -> String {
    format!("--weights={}", weights().display())
}

/// Several at once, each with the same flags.
fn together(place: &Place, line: &str, count: usize) -> Vec<Ran> {
    let start = |_| -> Child {
        let mut command = place.command(
            line,
            &[narrow().into(), photo("chelsea.png").into_os_string()],
        );
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        piped.spawn().unwrap()
    };
    let running: Vec<Child> = (0..count).map(start).collect();
    let ended = running.into_iter().map(Child::wait_with_output);
    ended.map(|output| Ran::of(output.unwrap())).collect()
}

#[test]
fn runs_of_the_same_second_have_folders_of_their_own() {
    let place = Place::new();
    for ran in together(&place, "images --layers conv1_1 --resize 32 --crop 32", 4) {
        ran.ok();
    }
    let runs = std::fs::read_dir(place.path("runs")).unwrap();
    let runs: Vec<_> = runs.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(runs.len(), 4, "{runs:?}");
    for run in &runs {
        assert!(run.to_string_lossy().ends_with("-images"), "{run:?}");
        assert_eq!(steps(&events(run), "feature_maps/00_conv1_1"), [0]);
    }
}

#[test]
fn one_of_several_gets_a_name_and_the_others_leave_it_alone() {
    let place = Place::new();
    let line = "images --run a --layers conv1_1 --resize 32 --crop 32";
    let (won, lost): (Vec<_>, Vec<_>) = together(&place, line, 3)
        .into_iter()
        .partition(|ran| ran.code() == 0);
    assert_eq!((won.len(), lost.len()), (1, 2));
    for ran in lost {
        ran.fails(1, &["runs/a", "--run"]);
    }
    assert_eq!(
        steps(&events(&place.path("runs/a")), "feature_maps/00_conv1_1"),
        [0]
    );
    assert!(place.path("runs/a/config.toml").exists());
}

#[test]
fn a_run_that_fails_before_its_first_step_leaves_no_folder() {
    let place = Place::new();
    let broken = place.write("broken.png", "no image");
    let photo = photo("chelsea.png");
    let line = "images --logdir new/logs --run x/a --layers conv1_1";
    place
        .run(line, &[narrow().as_ref(), broken.as_os_str()])
        .fails(1, &["broken.png"]);
    assert!(!place.path("new").exists());
    // The log folder of others stays.
    let other = place.write("new/logs/notes.txt", "mine");
    place
        .run(line, &[narrow().as_ref(), broken.as_os_str()])
        .fails(1, &["broken.png"]);
    assert!(other.exists() && !place.path("new/logs/x").exists());
    place
        .run(line, &[narrow().as_ref(), photo.as_os_str()])
        .ok();

    place.put(&weights(), "ckpts/epoch_1.safetensors");
    place
        .run("checkpoints ckpts --run b --images", &[&broken])
        .fails(1, &["broken.png"]);
    place
        .run("checkpoints ckpts --run b --crop 8 --images", &[&photo])
        .fails(2, &["pool"]);
    assert!(!place.path("runs").exists());
    place
        .run("checkpoints ckpts --run b --images", &[&photo])
        .ok();
}

/// A folder that was there stays, and so does what was in it.
#[test]
fn a_run_that_fails_takes_nothing_of_others_away() {
    let place = Place::new();
    let broken = place.write("broken.png", "no image");
    let config = place.write("runs/a/config.toml", "layers = [\"conv1_1\"]\n");
    let weights = narrow();
    let args = [
        weights.as_ref(),
        broken.as_os_str(),
        "--config".as_ref(),
        config.as_os_str(),
    ];
    place.run("images --run a", &args).fails(1, &["broken.png"]);
    assert!(config.exists());
}

/// While weights are read, which a pipe that nobody writes into never ends.
#[cfg(unix)]
#[test]
fn an_interrupt_before_the_first_step_leaves_no_folder() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let place = Place::new();
        // It accepts what asks for the weights, and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/vgg16.pth", silent.local_addr().unwrap());
        let args = [
            "--weights=imagenet".into(),
            photo("chelsea.png").into_os_string(),
        ];
        let mut command = place.command("images --run a", &args);
        command.env("VGGSCOPE_WEIGHTS_URL", address);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let began = std::time::Instant::now();
        while !place.path("runs/a").exists() {
            assert!(began.elapsed().as_secs() < 60, "no folder");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let sent = std::process::Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(!place.path("runs").exists());
    }
}

/// As `kill -9` leaves it: an event file without a step.
#[test]
fn what_a_killed_start_left_is_no_run() {
    let place = Place::new();
    drop(EventFile::create(&place.path("runs/a")).unwrap());
    let args = [narrow().into(), photo("chelsea.png").into_os_string()];
    place.run("images --run a --layers conv1_1", &args).ok();
    place
        .run("images --run a --layers conv1_1", &args)
        .fails(1, &["runs/a", "already holds a run"]);
}
