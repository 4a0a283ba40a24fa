use std::ffi::OsString;
use std::path::PathBuf;

use clap::CommandFactory;

use super::*;

mod earlier;
mod reference;
mod typed;

/// Whether a command line is understood, without a look at the files that it names.
pub(crate) fn understand(words: &[String]) -> Result<(), clap::Error> {
    cli().try_get_matches_from(words).map(drop)
}

fn parse_line(line: &[&str]) -> Result<Command, UsageError> {
    let words: Vec<OsString> = std::iter::once("vggscope")
        .chain(line.iter().copied())
        .map(OsString::from)
        .collect();
    parse(&words).map(|(command, _)| command)
}

fn toml_of(command: &Command) -> String {
    match command {
        Command::Images(settings) => text::toml_text("images", &**settings),
        Command::Checkpoints(settings) => text::toml_text("checkpoints", &**settings),
        Command::Train(settings) => text::toml_text("train", &**settings),
        _ => Ok(String::new()),
    }
    .unwrap()
}

/// A command line of every command that writes a run, no setting left at its default.
const LINES: [&[&str]; 3] = [
    &[
        "images",
        "a.png",
        "b",
        "--weights",
        "w.pth",
        "--arch",
        "vgg11_bn",
        "--layers",
        "conv1_1,pool*",
        "--device",
        "flex",
        "--seed",
        "7",
        "--batch",
        "3",
        "--preset",
        "caffe",
        "--resize",
        "off",
        "--crop",
        "96",
        "--range",
        "fixed=-1,2.5",
        "--maps",
        "9",
        "--min-tile",
        "32",
        "--scalars",
        "all",
        "--colormap",
        "magma",
        "--no-kernels",
        "--logdir",
        "logs",
        "--run",
        "mine",
        "--png",
        "out",
        "--on-error",
        "skip",
        "--precision",
        "tf32",
        "--normalize",
        "mean=-0.5,0,0.5,std=0.25",
        "-q",
        "--timings",
    ],
    &[
        "checkpoints",
        "ckpts",
        "--images",
        "a.png",
        "--images",
        "b.png",
        "--step",
        r"e(\d+)",
        "--exclude",
        "last*",
        "--exclude",
        "old/*",
        "--every",
        "3",
        "--preset",
        "caffe",
        "--normalize",
        "mean=-0.5,0,0.5,std=0.25,scale=1",
        "--follow=10m",
        "--change=previous",
        "--compare",
        "off",
        "--run",
        "mine",
        "--range",
        "layer",
    ],
    &[
        "train",
        "data",
        "--images",
        "a.png",
        "--weights",
        "imagenet",
        "--steps",
        "5",
        "--batch-size",
        "2",
        "--accumulate",
        "3",
        "--val-fraction",
        "0.25",
        "--augment",
        "scale=0.5,0.75,aspect=1,2,flip=0,jitter=0.1,0.2,0.3,0.4",
        "--threads",
        "2",
        "--optimizer",
        "nesterov",
        "--learning-rate",
        "0.5",
        "--momentum",
        "0.5",
        "--weight-decay",
        "0",
        "--schedule",
        "step=10,0.5,warm-up=4",
        "--clip-norm",
        "2.5",
        "--label-smoothing",
        "0.1",
        "--dropout",
        "0.25",
        "--freeze",
        "pool3",
        "--hidden",
        "8",
        "--stop-above",
        "12",
        "--every",
        "2",
        "--validate-every",
        "off",
        "--save-every",
        "epoch",
        "--histograms-every",
        "3",
        "--keep",
        "all",
        "--misclassified",
        "0",
        "--run",
        "mine",
    ],
];

#[test]
fn a_written_configuration_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for line in LINES {
        let written = toml_of(&parse_line(line).unwrap());
        let path = folder.path().join("config.toml");
        std::fs::write(&path, &written).unwrap();
        let again = parse_line(&[line[0], "--config", path.to_str().unwrap()]).unwrap();
        assert_eq!(toml_of(&again), written);
        assert!(written.contains("run = \"mine\""), "{written}");
    }
}

/// What is set by a flag is a key of the configuration, whatever its value.
#[test]
fn every_flag_is_a_key() {
    for line in LINES {
        let written: toml::Table = toml_of(&parse_line(line).unwrap()).parse().unwrap();
        let cli = Cli::command();
        let command = cli.find_subcommand(line[0]).unwrap();
        for arg in command.get_arguments() {
            let name = arg.get_id().as_str().replace('_', "-");
            // Not settings, or alternatives of others.
            let left_out = ["config", "resume", "help", "epochs", "shard"].contains(&&*name);
            let unset = !line
                .iter()
                .any(|word| word.split('=').next() == Some(&format!("--{name}")))
                && arg.get_default_values().is_empty()
                && !arg.is_positional();
            if !left_out && !unset {
                assert!(written.contains_key(&name), "{name} of {}", line[0]);
            }
        }
    }
}

fn with_file(text: &str, line: &[&str]) -> Result<Command, UsageError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let mut words = vec![line[0], "--config", path.to_str().unwrap()];
    words.extend(&line[1..]);
    parse_line(&words)
}

fn images(text: &str, line: &[&str]) -> ImagesSettings {
    match with_file(text, line) {
        Ok(Command::Images(settings)) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn typed_flags_win_over_the_file() {
    let settings = images(
        "images = [\"file.png\"]\nseed = 3\nmin_tile = 4\nmaps = 4\nlayers = [\"conv1_1\", \"pool*\"]",
        &["images", "typed.png", "--seed", "5"],
    );
    assert_eq!(settings.images, [PathBuf::from("typed.png")]);
    assert_eq!(settings.seed, 5);
    assert_eq!(settings.run.pictures.maps.to_string(), "4");
    assert_eq!(settings.run.network.layers, "conv1_1,pool*");
}

#[test]
fn a_range_is_read_in_every_form_of_toml() {
    for range in ["\"fixed=0,6\"", "[0, 6]", "{ fixed = [0, 6] }"] {
        let settings = images(&format!("images = [\"a\"]\nrange = {range}"), &["images"]);
        assert_eq!(
            settings.run.pictures.range,
            Some(RangeChoice::By(feature_grid::Range::Fixed(0.0, 6.0)))
        );
    }
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    for (text, expected) in [
        (
            "sede = 1",
            "unknown key \"sede\" for `vggscope images`: did you mean \"seed\"?",
        ),
        (
            "seed = [[1]]\nlayers = 2020-01-01",
            "expected text, a number",
        ),
        (
            "command = \"train\"",
            "is for `vggscope train`, not `vggscope images`",
        ),
        ("seed = \"x\"", "invalid value 'x' for '--seed"),
        ("seed = ", "is not valid TOML: line 1"),
    ] {
        let error = with_file(text, &["images", "a.png"])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("config.toml") && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (line, expected) in [
        (&["images"][..], "no images given"),
        (
            &["images", "a", "--run", "../b"],
            "must be a name inside the log folder",
        ),
        (&["checkpoints", "a"], "no probe images given"),
        (
            &[
                "checkpoints",
                "a",
                "--images",
                "b",
                "--step",
                "index",
                "--follow",
            ],
            "--step index",
        ),
        (
            &[
                "checkpoints",
                "a",
                "--images",
                "b",
                "--compare",
                "off",
                "--compare-images",
                "c",
            ],
            "--compare-images",
        ),
        (&["images", "a", "--range", "run"], "--range run"),
        (&["images", "a", "--maps", "changed:4"], "--maps"),
        (
            &["train", "a", "--images", "b", "--precision", "bf16"],
            "--precision",
        ),
        (
            &["train", "a", "--images", "b", "--resume"],
            "no run to resume given",
        ),
        (
            &["train", "a", "--images", "b", "--crop", "off"],
            "--crop off",
        ),
        (
            &[
                "train",
                "a",
                "--images",
                "b",
                "--momentum",
                "0",
                "--optimizer",
                "nesterov",
            ],
            "--momentum above 0",
        ),
        (
            &["train", "a", "--images", "b", "--learning-rate", "0"],
            "invalid value '0' for '--learning-rate <X>': expected a number above 0",
        ),
        (
            &[
                "train",
                "a",
                "--images",
                "b",
                "--width",
                "0.5",
                "--weights",
                "w",
            ],
            "--width",
        ),
    ] {
        let error = parse_line(line).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for regex in ["e", "(a)(b)", "("] {
        let line = ["checkpoints", "a", "--images", "b", "--step", regex];
        assert!(parse_line(&line).is_err(), "{regex}");
    }
}

#[test]
fn tables_are_values_of_several_numbers() {
    let settings = images(
        "images = [\"a\"]\nnormalize = { mean = [0.5, 0.25, -1], std = 0.5 }",
        &["images"],
    );
    assert_eq!(
        settings.run.input.normalize.to_string(),
        "mean=0.5,0.25,-1,std=0.5,0.5,0.5"
    );
}

#[test]
fn a_typed_switch_can_turn_off_what_a_file_turns_on() {
    let settings = images(
        "images = [\"a\"]\nno-kernels = true",
        &["images", "--no-kernels=false"],
    );
    assert!(!settings.run.pictures.no_kernels);
}
