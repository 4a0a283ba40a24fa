//! Paths, normalization and what goes around them, as people type them.

use std::path::PathBuf;

use super::{Command, Shell, completions, images, manual_page, parse_line, with_file};
use crate::data::transform::Preprocess;
use feature_grid::Picture;

fn input(line: &[&str]) -> Preprocess {
    match parse_line(&[&["images", "a"], line].concat()).unwrap() {
        Command::Images(settings) => settings.run.input.preprocess(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mean_std_and_scale_replace_the_presets() {
    let bits = |numbers: [f32; 3]| numbers.map(f32::to_bits);
    let preset = input(&[]).normalize;
    let given = input(&["--normalize", "mean=0.5,0.25,-1,std=0.5"]).normalize;
    assert_eq!(bits(given.mean), bits([0.5, 0.25, -1.0]));
    assert_eq!(bits(given.std), bits([0.5; 3]));
    assert_eq!(given.divisor.to_bits(), preset.divisor.to_bits());
    // torchvision: Normalize([0.5, 0.25, -1], [0.5] * 3)(ToTensor()(pixel)).
    let pixel = Picture::rgb(1, 1, vec![10, 20, 255]);
    let expected = [-0.921_568_63, -0.343_137_26, 4.0];
    assert_eq!(
        bits(given.apply(&pixel).try_into().unwrap()),
        bits(expected)
    );
    let only_std = input(&["--normalize", "std=1,2,3"]).normalize;
    assert_eq!(bits(only_std.mean), bits(preset.mean));
    let levels = input(&["--normalize", "scale=255,mean=0,std=1"]);
    assert!(
        levels.to_string().contains("RGB / 1, mean [0.0, 0.0, 0.0]"),
        "{levels}"
    );
    assert!(
        input(&["--normalize", "scale=1"])
            .to_string()
            .contains("RGB / 255")
    );
    // Red, green and blue as typed, whatever the order that the network takes.
    let caffe = input(&["--preset", "caffe", "--normalize", "mean=1,2,3"]).normalize;
    assert_eq!(bits(caffe.mean), bits([3.0, 2.0, 1.0]));
}

#[test]
fn values_that_cannot_normalize_are_refused() {
    for line in [
        &["--normalize", "mean=1,2"][..],
        &["--normalize", "std=0"],
        &["--normalize", "scale=2"],
        &["--normalize", "scale=255"],
        &["--normalize", "scale=255,mean=0"],
        &["--preset", "caffe", "--normalize", "scale=1"],
    ] {
        let error = parse_line(&[&["images", "a"], line].concat()).unwrap_err();
        assert!(error.to_string().contains("--normalize"), "{error}");
    }
}

#[test]
fn no_path_may_be_an_address() {
    for line in [
        &["images", "s3://b/a.png"][..],
        &["images", "a", "--logdir", "gs://b/logs"],
        &["images", "a", "--logdir=hdfs://b/logs"],
        &["images", "a", "--run", "s3://b"],
        &["images", "a", "--png", "s3://b"],
        &["images", "a", "--weights", "https://b/w.pth"],
        &["images", "a", "--config", "file:///c.toml"],
        &["checkpoints", "s3://b/c", "--images", "a"],
        &["checkpoints", "a", "--images", "s3://b/c"],
        &["train", "s3://b/c", "--images", "a"],
        &["layers", "--weights", "s3://b/c"],
        &["diff", "a.pth", "s3://b/c"],
    ] {
        let error = parse_line(line).unwrap_err().to_string();
        assert!(
            error.contains("expected a path on this machine, found an address"),
            "{error}"
        );
    }
    let error = with_file("logdir = \"s3://b/logs\"", &["images", "a.png"]).unwrap_err();
    assert!(error.to_string().contains("config.toml"), "{error}");
}

#[test]
fn a_file_whose_name_begins_with_a_dash_is_no_flag() {
    for line in [
        &["images", "a.png", "--weights", "-x.pth"][..],
        &["diff", "-x.pth", "b.pth"],
        &["checkpoints", "e.pth", "--images", "a.png", "-x.pth"],
        &["layers", "--config", "-x.pth"],
    ] {
        let error = parse_line(line).unwrap_err().to_string();
        let advice =
            "there is no flag -x.pth; a file whose name begins with a dash is written ./-x.pth";
        assert_eq!(error, advice, "{line:?}");
    }
    let typed = ["layers", "--weights", "./-x.pth"];
    assert!(matches!(parse_line(&typed), Ok(Command::Layers(_))));
    for line in [
        &["layers", "--wieghts=./x.pth"][..],
        &["images", "a.png", "--range", "-0.5"],
    ] {
        let error = parse_line(line).unwrap_err();
        assert!(!error.to_string().contains("dash"), "{line:?}: {error}");
    }
}

#[test]
fn a_tilde_is_the_home_folder_in_a_file_and_behind_an_equals_sign() {
    let home = std::env::home_dir().unwrap();
    let settings = images(
        "images = [\"~/a.png\"]\nlogdir = \"~\"",
        &["images", "--png=~/out"],
    );
    assert_eq!(settings.images, [home.join("a.png")]);
    assert_eq!(settings.run.output.folder.logdir, home.join(""));
    assert_eq!(settings.run.output.png, Some(home.join("out")));
}

#[test]
fn images_that_took_the_rest_are_told_apart() {
    for (line, corrected) in [
        (
            &["checkpoints", "--images", "a.png", "ckpts/"][..],
            "vggscope checkpoints ckpts/ --images a.png",
        ),
        (
            &[
                "checkpoints",
                "--images",
                "a.png",
                "b.JPG",
                "e 1.pth",
                "e2.pth",
            ],
            "vggscope checkpoints 'e 1.pth' e2.pth --images a.png b.JPG",
        ),
        (
            &["checkpoints", "--images", "probes", "ckpts"],
            "vggscope checkpoints ckpts --images probes",
        ),
        (
            &["train", "--images", "a.png", "data"],
            "vggscope train data --images a.png",
        ),
    ] {
        let error = parse_line(line).unwrap_err().to_string();
        assert!(error.ends_with(corrected), "{error}");
    }
}

#[test]
fn a_run_that_was_moved_resumes_where_its_configuration_lies() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap().join("moved/new name");
    std::fs::create_dir_all(place.join("checkpoints")).unwrap();
    let config = place.join("config.toml");
    std::fs::write(
        &config,
        "data = \"d\"\nimages = [\"a\"]\nlogdir = \"/old\"\nrun = \"x/name\"",
    )
    .unwrap();
    let run_folder = |more: &[&str]| {
        let line = ["train", "--config", config.to_str().unwrap()];
        match parse_line(&[&line[..], more].concat()).unwrap() {
            Command::Train(settings) => settings.run.output.folder.run_folder(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(run_folder(&["--resume"]), place);
    assert_eq!(run_folder(&[]), PathBuf::from("/old/x/name"));
    assert_eq!(
        run_folder(&["--resume", "--run", "y"]),
        PathBuf::from("/old/y")
    );
    // A file that lies in no run is only a file.
    std::fs::remove_dir(place.join("checkpoints")).unwrap();
    assert_eq!(run_folder(&["--resume"]), PathBuf::from("/old/x/name"));
}

#[test]
fn every_command_has_a_manual_page_and_completions() {
    let page = manual_page(None).unwrap();
    for command in [
        "images",
        "checkpoints",
        "train",
        "compare",
        "layers",
        "diff",
        "doctor",
    ] {
        assert!(
            page.contains(&format!("vggscope\\-{command}(1)")),
            "{command}"
        );
        let page = manual_page(Some(command)).unwrap();
        assert!(
            page.contains(&format!(".TH vggscope-{command} 1")),
            "{page}"
        );
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let text = completions(shell);
        assert!(
            text.contains("compare-images") && text.contains("vggscope"),
            "{shell}"
        );
    }
}
