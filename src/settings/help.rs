//! `-h`, `--help`, manual pages and completions.

use std::ffi::OsString;
use std::io;

use clap::Command;
use clap_complete::Shell;

use super::described;

/// Most flags that `-h` lists whole.
const FEW: usize = 12;

/// Of commands with more flags, those that `-h` lists: one screen of 25 lines.
pub(super) const USUAL: &str = "
images weights model layers device batch preset crop range maps logdir run config
checkpoints images step follow layers device model maps change compare_images logdir run config
train images weights resume epochs batch_size learning_rate freeze arch layers logdir run config
";

/// What the help of each command ends with.
pub(super) const EXAMPLES: &str = "
images photos --weights imagenet
images 'scans/*.png' --weights my.pth --layers 'conv*' --run scans
checkpoints ckpts --images photos --compare-images val
checkpoints 'ckpts/*.pth' --images photos --follow --run live
train DATA --images photos --weights imagenet --epochs 5
train --config runs/NAME/config.toml --resume
merge runs/NAME
merge --quiet runs/NAME
compare runs/seed0 runs/seed1
compare runs/before runs/after runs/later --run drift
layers --arch vgg19_bn
layers --model resnet50.pt2
diff before.pth after.pth --sort change
diff before.pth after.pth --images val --json
inspect runs
inspect runs/NAME --json
export runs/NAME --out tables --as csv
export runs/NAME --tag 'kernels/*' --as gif --out films
view
view runs/seed0 runs/seed1 -- --port 6007
completions bash > /etc/bash_completion.d/vggscope
completions zsh > ~/.zfunc/_vggscope
man | man -l -
man checkpoints > vggscope-checkpoints.1
";

/// The lines of a text that begin with the name of a command.
fn of_command<'a>(text: &'a str, command: &Command) -> Vec<&'a str> {
    let is_own = |line: &&str| line.split(' ').next() == Some(command.get_name());
    text.lines().filter(is_own).collect()
}

/// A command whose help ends with its examples, under a heading.
pub(super) fn with_examples(command: Command, heading: &str) -> Command {
    let examples = of_command(EXAMPLES, &command).into_iter();
    let examples: Vec<String> = examples
        .map(|line| format!("\n  vggscope {line}"))
        .collect();
    let examples = (!examples.is_empty()).then(|| format!("{heading}{}", examples.concat()));
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
    let usual: Vec<&str> = (of_command(USUAL, &command).iter())
        .flat_map(|line| line.split(' ').skip(1))
        .collect();
    let brief = |arg: clap::Arg| {
        let is_usual = usual.contains(&arg.get_id().as_str());
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
    if of_command(EXAMPLES, &command).is_empty() {
        return command.after_help("more: --help");
    }
    with_examples(command.after_help(None::<&str>), "more: --help; examples:")
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
