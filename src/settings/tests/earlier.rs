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

/// What a file said, and what became of its keys since.
#[test]
fn a_key_that_is_gone_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let words = |command| ["vggscope", command, "--config", path.to_str().unwrap()];
    let note = |command, text: &str| {
        std::fs::write(&path, text).unwrap();
        let (_, note) = parse(&words(command).map(OsString::from)).unwrap();
        note.unwrap_or_default()
    };
    let text = "images = ['/i']\nmax-maps = 64\nverbose = true\nmean = [0, 0, 0]\nmaps = '7'";
    let said = note("images", text);
    for part in [
        "config.toml: ",
        "max-maps is gone: write maps instead",
        "verbose is gone: leave it out",
        "mean is gone: write normalize instead",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let now: toml::Table = rewritten("images", &path).unwrap().parse().unwrap();
    assert_eq!(now["maps"].as_str(), Some("7"));
    assert_eq!(note("images", "images = ['/i']"), "");
    // Gone from one command, and a setting of another.
    let sweep = "checkpoints = ['/c']\nimages = ['/i']\nseed = 7";
    assert!(note("checkpoints", sweep).contains("seed is gone: leave it out"));
    assert_eq!(note("train", "data = '/d'\nimages = ['/i']\nseed = 7"), "");
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

/// The files in configs/ are what people begin with.
#[test]
fn the_files_that_come_along_are_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut read = 0;
    for entry in folder.read_dir().unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let mut lines = text.lines();
        let named = lines.find_map(|line| line.strip_prefix("command = "));
        let command = named.unwrap().trim_matches('"');
        let given: &[&str] = match command {
            "layers" => &[],
            "images" => &["x"],
            _ => &["x", "--images", "x"],
        };
        let config = ["--config", file.to_str().unwrap()];
        let parsed = parse_line(&[&[command], given, &config].concat());
        assert!(parsed.is_ok(), "{}: {parsed:?}", file.display());
        read += 1;
    }
    assert_eq!(read, 5);
}
