//! `-h`, `--help`, manual pages and completions.

use std::ffi::OsString;
use std::io;

use clap::Command;
use clap_complete::Shell;

use super::described;

/// Most flags that `-h` lists whole.
const FEW: usize = 14;

/// Of commands with more flags, those that `-h` lists: one screen of 25 lines.
pub(super) const USUAL: [(&str, &str); 3] = [
    (
        "images",
        "weights arch layers device batch preset crop range maps colormap png logdir run config",
    ),
    (
        "checkpoints",
        "images step every follow layers device crop range maps change compare_images logdir run config",
    ),
    (
        "train",
        "images weights resume epochs batch_size learning_rate freeze every arch layers crop logdir run config",
    ),
];

/// The help that a command line asks for; none where it asks for none.
pub(super) fn asked_for(typed: &[OsString]) -> Option<clap::Error> {
    let is_short = typed.iter().any(|word| word == "-h");
    let cli = described();
    let cli = if is_short {
        brief(cli).mut_subcommands(brief)
    } else {
        cli
    };
    cli.try_get_matches_from(typed).err()
}

/// The flags that are used most, each with the first clause of what it does.
fn brief(command: Command) -> Command {
    let is_flag = |arg: &&clap::Arg| !arg.is_positional();
    let has_few = command.get_arguments().filter(is_flag).count() <= FEW;
    let mut usual = USUAL.iter();
    let usual = usual.find(|(name, _)| *name == command.get_name());
    let usual = usual.map_or("", |(_, flags)| flags);
    let brief = |arg: clap::Arg| {
        let is_usual = usual.split(' ').any(|flag| arg.get_id() == flag);
        let is_listed = has_few || arg.is_positional() || is_usual;
        let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let end = text.find([':', ';', '(', '[']).unwrap_or(text.len());
        let clause = text[..end].trim_end().to_owned();
        arg.hide(!is_listed)
            .help(clause)
            .help_heading(None::<&str>)
            .hide_default_value(true)
            .hide_possible_values(true)
    };
    command
        .mut_args(brief)
        .term_width(80)
        .after_help("more: --help")
}

/// The completions for a shell, as it reads them.
pub(crate) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut described(), "vggscope", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page of the program, or of one of its commands, in troff.
pub(crate) fn manual_page(name: Option<&str>) -> io::Result<String> {
    let mut cli = described();
    cli.build();
    let command = name.and_then(|name| cli.find_subcommand(name));
    let page = clap_mangen::Man::new(command.unwrap_or(&cli).clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
