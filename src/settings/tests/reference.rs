//! docs/reference.md is what clap knows.

use std::fmt::Write as _;
use std::path::Path;

use super::*;

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let text = reference();
    if std::env::var_os("VGGSCOPE_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == text,
        "make reference writes docs/reference.md again"
    );
}

fn reference() -> String {
    let mut cli = described();
    cli.build();
    let mut text = String::from(
        "# All commands and their settings\n\nMade from the program (`make reference`). A setting is a flag, and the key of that name in the file of \
         `--config`.\n",
    );
    for command in cli.get_subcommands().filter(|one| !one.is_hide_set()) {
        if command.get_name() == "help" {
            continue;
        }
        let about = command.get_about().map(ToString::to_string);
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n| setting | what |\n| --- | --- |\n",
            command.get_name(),
            about.unwrap_or_default()
        );
        let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
        for arg in visible.filter(|arg| arg.get_id() != "help") {
            let [name, help] = [name(arg), help(arg)].map(|text| text.replace('|', "\\|"));
            let _ = writeln!(text, "| {name} | {help} |");
        }
    }
    text
}

/// `--range RANGE`, `CHECKPOINT`
fn name(arg: &clap::Arg) -> String {
    let value = arg.get_value_names().unwrap_or_default().join(" ");
    let takes_value = arg.get_action().takes_values();
    match (arg.get_long(), takes_value) {
        (None, _) => format!("`{value}`"),
        (Some(long), false) => format!("`--{long}`"),
        (Some(long), true) if arg.is_require_equals_set() => format!("`--{long}[={value}]`"),
        (Some(long), true) => format!("`--{long} {value}`"),
    }
}

fn help(arg: &clap::Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    let is_shown = arg.get_action().takes_values() && !arg.is_hide_default_value_set();
    let default = match defaults.join(",") {
        default if is_shown && !default.is_empty() => format!(" [default: {default}]"),
        _ => String::new(),
    };
    format!("{help}{default}")
        .replace('\n', " ")
        .replace('|', "\\|")
}
