//! What help lists, and flags and keys of earlier versions.

use super::*;

/// The flags that `--help` lists, `-h` among them.
fn flags_listed(help: &str) -> usize {
    let is_flag = |line: &&str| line.trim_start().starts_with('-');
    help.lines().filter(is_flag).count()
}

fn help_of(line: &[&str]) -> String {
    match parse_line(line).unwrap_err() {
        UsageError::Clap(error) => error.to_string(),
        other => panic!("{other}"),
    }
}

#[test]
fn flags_are_few_and_h_fits_a_screen() {
    for (command, most) in [
        ("images", 25),
        ("checkpoints", 34),
        ("train", 57),
        ("diff", 12),
    ] {
        let help = help_of(&[command, "--help"]);
        let count = flags_listed(&help) - 1;
        assert!(count <= most, "{command} has {count} flags\n{help}");
        assert!(!help.contains("true, false"), "{help}");
    }
    let all = [
        "",
        "images",
        "checkpoints",
        "train",
        "compare",
        "layers",
        "diff",
        "inspect",
        "export",
        "view",
        "doctor",
        "man",
        "completions",
    ];
    for command in all {
        let line: Vec<&str> = [command, "-h"]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        let help = help_of(&line);
        assert!(
            help.lines().count() <= 25,
            "{}\n{help}",
            help.lines().count()
        );
        assert!(
            help.lines().all(|line| line.chars().count() <= 80),
            "{help}"
        );
        assert!(
            help.lines().any(|line| line.starts_with("more: --help")),
            "{help}"
        );
    }
    // What -h lists is there.
    for line in help::USUAL.trim().lines() {
        let command = line.split(' ').next().unwrap();
        let help = help_of(&[command, "-h"]);
        assert_eq!(flags_listed(&help), 13, "{help}");
    }
}

#[test]
fn help_ends_with_two_examples_that_can_be_typed() {
    let all: Vec<&str> = help::EXAMPLES.trim().lines().collect();
    let command_of = |line: &&str| line.split(' ').next().map(str::to_owned);
    let pairs: Vec<&[&str]> = all
        .chunk_by(|a, b| command_of(a) == command_of(b))
        .collect();
    for pair in &pairs {
        let command = &command_of(&pair[0]).unwrap();
        let [first, second] = pair else {
            panic!("{command} has {} examples", pair.len());
        };
        let examples = [first, second].map(|line| format!("vggscope {line}"));
        for flag in ["-h", "--help"] {
            let help = help_of(&[command, flag]);
            let lines: Vec<&str> = help.lines().map(str::trim).collect();
            assert!(
                lines.ends_with(&examples.each_ref().map(String::as_str)),
                "{help}"
            );
        }
        for example in &examples {
            let (line, _) = example.split_once(['|', '>']).unwrap_or((example, ""));
            let words = line.split_whitespace().map(|word| word.trim_matches('\''));
            let words: Vec<OsString> = words.map(OsString::from).collect();
            let parsed = cli().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }
    // All but doctor, which takes nothing.
    let commands = cli().get_subcommands().count();
    assert_eq!(pairs.len() + 1, commands);
}

/// The note on a file's old keys, and the settings of the run as this version writes them.
fn of_old_file(command: &str, text: &str) -> (String, toml::Table) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let words = ["vggscope", command, "--config", path.to_str().unwrap()].map(OsString::from);
    let note = parse(&words).unwrap().note.unwrap_or_default();
    (note, rewritten(command, &path).unwrap().parse().unwrap())
}

/// What the version before wrote, whose runs go on.
#[test]
fn keys_of_an_earlier_version_are_a_note_and_keep_their_meaning() {
    let (note, now) = of_old_file(
        "checkpoints",
        r#"
        checkpoints = ["/c"]
        images = ["/i"]
        step-from = "name"
        step-regex = 'e(\d+)'
        calibrate = "first,last"
        late = "skip"
        follow = true
        idle-exit = "PT10M"
        change = true
        against = "previous"
        compare-features = "mean-pooled"
        no-comparison = false
        dtype = "f32"
        tf32 = true
        render = "auto"
        seed = 0
        mean = "-0.5,0,0.5"
        std = "0.25,0.25,0.25"
        range = "run"
        ranges = "/r/ranges.toml"
        maps = "all"
        maps-from = "/r"
        quiet = false
        verbose = false
        "#,
    );
    for (key, value) in [
        ("step", r"e(\d+)"),
        ("follow", "10m"),
        ("change", "previous"),
        ("compare", "mean-pooled"),
        ("precision", "tf32"),
        ("normalize", "mean=-0.5,0,0.5,std=0.25,0.25,0.25"),
        ("range", "/r/ranges.toml"),
        ("maps", "/r"),
    ] {
        assert_eq!(now[key].as_str(), Some(value), "{key}");
    }
    for part in [
        "config.toml",
        "maps-from (now maps)",
        "late (gone)",
        "seed (gone)",
    ] {
        assert!(note.contains(part), "{note}");
    }
}

#[test]
fn keys_of_an_earlier_training_keep_their_meaning() {
    let (note, now) = of_old_file(
        "train",
        r#"
        data = "/d"
        images = ["/i"]
        no-augment = false
        scale = "0.3,1"
        aspect = "0.9,1.1"
        flip = 0.2
        jitter = "0.1,0.2,0.3,0.05"
        optimizer = "sgd"
        nesterov = true
        schedule = "step=3,0.5"
        warm-up = 2
        change = false
        against = "first"
        no-comparison = true
        dtype = "f32"
        tf32 = false
        seed = 7
        maps = "5"
        verbose = true
        "#,
    );
    let augment = "scale=0.3,1,aspect=0.9,1.1,flip=0.2,jitter=0.1,0.2,0.3,0.05";
    for (key, value) in [
        ("augment", augment),
        ("optimizer", "nesterov"),
        ("schedule", "step=3,0.5,warm-up=2"),
        ("change", "off"),
        ("compare", "off"),
        ("precision", "f32"),
        ("maps", "5,"),
    ] {
        assert_eq!(now[key].as_str(), Some(value), "{key}");
    }
    assert_eq!(now["seed"].as_integer(), Some(7));
    assert!(!note.contains("seed"), "{note}");
}

#[test]
fn old_keys_of_one_setting_are_put_together() {
    let (_, now) = of_old_file(
        "images",
        "images = [\"/i\"]\nmax-maps = 64\nscale-to = 255\nmean = 0\nstd = 1",
    );
    assert_eq!(now["maps"].as_str(), Some("64"));
    assert_eq!(
        now["normalize"].as_str(),
        Some("mean=0,0,0,std=1,1,1,scale=255")
    );
    let (_, now) = of_old_file(
        "train",
        "data = \"/d\"\nimages = [\"/i\"]\nno-augment = true\nflip = 0.5",
    );
    assert_eq!(now["augment"].as_str(), Some("off"));
    let (note, _) = of_old_file("images", "images = [\"/i\"]");
    assert_eq!(note, "");
}

#[test]
fn a_flag_of_an_earlier_version_says_what_to_write_now() {
    for (flag, now) in [
        ("--max-maps", "write --maps"),
        ("--verbose", "leave it out"),
        ("--tf32", "write --precision"),
    ] {
        let error = parse_line(&["images", "a", flag, "3"])
            .unwrap_err()
            .to_string();
        assert!(error.contains(flag) && error.contains(now), "{error}");
    }
}
