//! What the real TensorBoard makes of a run, through both of its loaders.
//!
//! `make test` installs TensorBoard and names its Python in `VGGSCOPE_TEST_PYTHON`.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

use crate::program::support::test_device;

mod events;
mod export;
mod train;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the program in `place`, on the device under test unless `line` names one.
fn vggscope(place: &Path, line: &str, more: &[&Path]) {
    let weights = root().join("tests/fixtures/vgg/vgg16.weights.safetensors");
    let mut args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if args[0] == "images" {
        args.push(format!("--weights={}", weights.display()));
    }
    if !line.contains("--device") && args[0] != "merge" {
        args.insert(1, format!("--device={}", test_device()));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_vggscope"))
        .current_dir(place)
        .args(args)
        .args(more)
        .output()
        .unwrap();
    succeeded(&output);
}

fn succeeded(output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

/// Runs a script of this folder with the Python that has TensorBoard.
fn script(name: &str) -> Command {
    let python = std::env::var("VGGSCOPE_TEST_PYTHON")
        .expect("VGGSCOPE_TEST_PYTHON must name a Python with tensorboard: run `make test`");
    let mut command = Command::new(python);
    command.arg(root().join("tests/all/tensorboard").join(name));
    command
}

/// Both loaders' view of a log folder: `{"slow": …, "fast": …}`.
fn read(logdir: &Path) -> Value {
    parsed(script("read_run.py").arg(logdir))
}

/// The JSON that a script prints.
fn parsed(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    succeeded(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Both loaders, left running while the log folder changes.
struct Watch {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn open(logdir: &Path) -> Self {
        let mut process = script("read_run.py")
            .arg("--watch")
            .arg(logdir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The current view, in the form of [`read`].
    fn view(&mut self) -> Value {
        let line = self.lines.next().expect("a view").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Reloads both.
    fn reload(&mut self) {
        let input = self.process.stdin.as_mut().unwrap();
        input.write_all(b"\n").unwrap();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Without input the process ends.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn steps(view: &Value, tag: &str) -> Vec<i64> {
    let values = &view["images"][tag]["steps"];
    let values = values
        .as_array()
        .unwrap_or_else(|| panic!("no {tag} in {view}"));
    values
        .iter()
        .map(|value| value[0].as_i64().unwrap())
        .collect()
}

// Verified: TensorBoard 2.21 | runs of `images`: tags, steps, sizes and colors in both loaders | equal
#[test]
fn a_run_over_images_shows_every_step_in_both_loaders() {
    let place = tempfile::tempdir().unwrap();
    vggscope(
        place.path(),
        "images --run a --layers conv1_1,relu3_3,pool5 --timings",
        &[&root().join("photos")],
    );
    let both = read(&place.path().join("runs"));
    for loader in ["slow", "fast"] {
        let view = &both[loader];
        for tag in [
            "feature_maps/00_conv1_1",
            "feature_maps/15_relu3_3",
            "feature_maps/30_pool5",
            "kernels/00_conv1_1",
            "input",
        ] {
            assert_eq!(
                steps(view, &format!("a:{tag}")),
                [0, 1, 2],
                "{loader} {tag}"
            );
        }
        let maps = &view["images"]["a:feature_maps/00_conv1_1"];
        assert!(
            maps["description"].as_str().unwrap().contains("conv1_1"),
            "{loader}: {maps}"
        );
        // 3 maps of 224 x 224 in two columns and two rows, as one channel.
        let side = 2 * 225 + 1;
        assert_eq!(maps["steps"][0][1], serde_json::json!([side, side]));
        assert_eq!(maps["steps"][0][2][0], serde_json::json!([side, side, "L"]));
        assert_eq!(view["images"]["a:input"]["steps"][0][2][0][2], "RGB");
        assert_eq!(
            view["scalars"]["a:timings/forward_ms"],
            serde_json::json!([0, 1, 2])
        );
        let config = view["text"]["a:config"][0][1].as_str().unwrap();
        assert!(
            config.contains("layers = [\"conv1_1\", \"relu3_3\", \"pool5\"]"),
            "{config}"
        );
    }
    assert_eq!(both["slow"], both["fast"]);
}

// Verified: TensorBoard 2.21 | runs of `checkpoints` in both loaders | equal
#[test]
fn runs_over_checkpoints_lie_next_to_each_other() {
    let place = tempfile::tempdir().unwrap();
    let weights = root().join("tests/fixtures/vgg/vgg16.weights.safetensors");
    let folder = place.path().join("ckpts");
    std::fs::create_dir(&folder).unwrap();
    for epoch in [0, 5, 10, 15] {
        std::fs::copy(&weights, folder.join(format!("epoch_{epoch}.safetensors"))).unwrap();
    }
    let photos = root().join("photos");
    for run in ["x/one", "two"] {
        vggscope(
            place.path(),
            &format!("checkpoints ckpts --run {run} --layers pool* --images"),
            &[&photos],
        );
    }
    // The last one first.
    for part in [1, 2, 0] {
        let line =
            format!("checkpoints ckpts --run three --shard {part}/3 --layers pool* --images");
        vggscope(place.path(), &line, &[&photos]);
    }
    vggscope(place.path(), "merge runs/three", &[]);
    let both = read(&place.path().join("runs"));
    for loader in ["slow", "fast"] {
        for run in ["x/one", "two", "three"] {
            let at = |tag: &str| steps(&both[loader], &format!("{run}:{tag}"));
            assert_eq!(
                at("feature_maps/chelsea/04_pool1"),
                [0, 5, 10, 15],
                "{loader}"
            );
            assert_eq!(at("kernels/00_conv1_1"), [0, 5, 10, 15]);
            assert_eq!(at("input/coffee"), [0]);
        }
    }
    assert_eq!(both["slow"], both["fast"]);
}
