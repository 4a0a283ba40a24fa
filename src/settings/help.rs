//! `-h`, `--help`, manual pages and completions.

use std::ffi::OsString;
use std::io;

use clap::Command;
use clap_complete::Shell;

use super::described;

/// Most flags that `-h` lists whole.
const FEW: usize = 12;

/// Of commands with more flags, those that `-h` lists: one screen of 25 lines.
pub(super) const USUAL: [(&str, &str); 3] = [
    (
        "images",
        "weights arch layers device batch preset crop range maps logdir run config",
    ),
    (
        "checkpoints",
        "images step follow layers device crop maps change compare_images logdir run config",
    ),
    (
        "train",
        "images weights resume epochs batch_size learning_rate freeze arch layers logdir run config",
    ),
];

/// What the help of each command ends with.
pub(super) const EXAMPLES: [(&str, [&str; 2]); 12] = [
    (
        "images",
        [
            "vggscope images photos --weights imagenet",
            "vggscope images 'scans/*.png' --weights my.pth --layers 'conv*' --run scans",
        ],
    ),
    (
        "checkpoints",
        [
            "vggscope checkpoints ckpts --images photos --compare-images val",
            "vggscope checkpoints 'ckpts/*.pth' --images photos --follow --run live",
        ],
    ),
    (
        "train",
        [
            "vggscope train DATA --images photos --weights imagenet --epochs 5",
            "vggscope train --config runs/NAME/config.toml --resume",
        ],
    ),
    (
        "merge",
        [
            "vggscope merge runs/NAME",
            "vggscope merge --quiet runs/NAME",
        ],
    ),
    (
        "compare",
        [
            "vggscope compare runs/seed0 runs/seed1",
            "vggscope compare runs/before runs/after runs/later --run drift",
        ],
    ),
    (
        "layers",
        [
            "vggscope layers --arch vgg19_bn",
            "vggscope layers --weights my.pth --crop 32",
        ],
    ),
    (
        "diff",
        [
            "vggscope diff before.pth after.pth --sort change",
            "vggscope diff before.pth after.pth --images val --json",
        ],
    ),
    (
        "inspect",
        ["vggscope inspect runs", "vggscope inspect runs/NAME --json"],
    ),
    (
        "export",
        [
            "vggscope export runs/NAME --out tables --as csv",
            "vggscope export runs/NAME --tag 'kernels/*' --as gif --out films",
        ],
    ),
    (
        "view",
        [
            "vggscope view",
            "vggscope view runs/seed0 runs/seed1 -- --port 6007",
        ],
    ),
    (
        "completions",
        [
            "vggscope completions bash > /etc/bash_completion.d/vggscope",
            "vggscope completions zsh > ~/.zfunc/_vggscope",
        ],
    ),
    (
        "man",
        [
            "vggscope man | man -l -",
            "vggscope man checkpoints > vggscope-checkpoints.1",
        ],
    ),
];

/// A command whose help ends with its examples, under a heading.
pub(super) fn with_examples(command: Command, heading: &str) -> Command {
    let mut all = EXAMPLES.iter();
    let examples = all.find(|(name, _)| *name == command.get_name());
    let examples = examples.map(|(_, [first, second])| format!("{heading}\n  {first}\n  {second}"));
    let before = command.get_after_help().map(ToString::to_string);
    let parts: Vec<String> = before.into_iter().chain(examples).collect();
    command.after_help(parts.join("\n\n"))
}

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
    let command = command.mut_args(brief).term_width(80);
    let has_examples = EXAMPLES.iter().any(|(name, _)| *name == command.get_name());
    if has_examples {
        with_examples(command.after_help(None::<&str>), "more: --help; examples:")
    } else {
        command.after_help("more: --help")
    }
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
