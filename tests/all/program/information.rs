//! `vggscope layers`, `vggscope doctor`, help and version.

use crate::program::support::{Place, root, weights};

const NOTHING: [&str; 0] = [];

#[test]
fn layers_are_listed_with_their_shapes() {
    let out = Place::new().run("layers", &NOTHING).ok().out();
    let line = |name: &str| {
        let found = out.lines().find(|line| line.contains(name));
        found
            .unwrap_or_else(|| panic!("no {name} in {out}"))
            .to_owned()
    };
    assert!(line("conv1_1").ends_with("64 x 224 x 224"));
    assert!(line("conv3_3 ").contains("features.14"));
    assert!(line("pool5").ends_with("512 x 7 x 7"));
    assert_eq!(out.lines().count(), 2 + 31);
}

#[test]
fn layers_follow_the_network_the_input_and_the_weights() {
    let place = Place::new();
    let bn = place
        .run("layers --arch vgg11_bn --crop 64", &NOTHING)
        .ok()
        .out();
    assert!(bn.contains("bn1_1") && bn.contains("512 x 2 x 2"), "{bn}");
    let weights = format!("--weights={}", weights().display());
    let narrow = place.run("layers --layers pool*", &[weights]).ok().out();
    assert!(narrow.contains("6 x 7 x 7"), "{narrow}");
    assert_eq!(narrow.lines().count(), 2 + 5);
}

#[test]
fn the_doctor_names_the_devices() {
    let out = Place::new().run("doctor", &NOTHING).ok().out();
    let line = |name: &str| {
        let found = out.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {out}")).trim()
    };
    let devices: Vec<&str> = line("devices").split(", ").collect();
    assert!(devices.contains(&"flex"), "{out}");
    assert_eq!(
        devices.contains(&"libtorch:cpu"),
        cfg!(feature = "libtorch"),
        "{out}"
    );
    assert_eq!(devices[0], line("auto"), "{out}");
    // Either CUDA can be used, or the report says why not.
    assert_eq!(
        !devices.iter().any(|name| name.starts_with("libtorch:cuda")),
        line("CUDA").starts_with("not usable: "),
        "{out}"
    );
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::new();
    let help = place.run("--help", &NOTHING).ok().out();
    for command in [
        "images",
        "checkpoints",
        "train",
        "compare",
        "diff",
        "layers",
        "diff",
        "doctor",
    ] {
        assert!(begins(&help, command), "{command}: {help}");
    }
    let version = place.run("--version", &NOTHING).ok().out();
    assert_eq!(
        version.trim(),
        concat!("vggscope ", env!("CARGO_PKG_VERSION"))
    );
    let flags = place.run("images --help", &NOTHING).ok().out();
    for flag in [
        "--weights",
        "--arch",
        "--layers",
        "--preset",
        "--resize",
        "--crop",
        "--device",
        "--seed",
        "--range",
        "--maps",
        "--min-tile",
        "--colormap",
        "--no-kernels",
        "--png",
        "--logdir",
        "--run",
        "--on-error",
        "--config",
        "--quiet",
    ] {
        assert!(begins(&flags, flag), "{flag}: {flags}");
    }
    let flags = place.run("checkpoints --help", &NOTHING).ok().out();
    assert!(begins(&flags, "--step"), "{flags}");
}

/// Whether a line of a help text begins with `name`, or with `-q, name`. Prose may name it too.
fn begins(help: &str, name: &str) -> bool {
    let is_name = |word: &str| word.split('[').next() == Some(name);
    help.lines()
        .any(|line| line.split_whitespace().take(2).any(is_name))
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let place = Place::new();
    let bash = place.run("completions bash", &NOTHING).ok().out();
    assert!(bash.contains("complete -F _vggscope"), "{bash}");
    let zsh = place.run("completions zsh", &NOTHING).ok().out();
    assert!(zsh.starts_with("#compdef vggscope"), "{zsh}");
    let page = place.run("man checkpoints", &NOTHING).ok().out();
    assert!(page.contains("every\\fR"), "{page}");
    assert_eq!(place.run("man imges", &NOTHING).code(), 2);
}

#[test]
fn every_command_has_a_manual_page_that_is_installed() {
    let place = Place::new();
    let help = place.run("--help", &NOTHING).ok().out();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands
        .lines()
        .map_while(|line| line.split_whitespace().next());
    let names: Vec<&str> = names
        .filter(|name| !["completions", "man", "help"].contains(name))
        .collect();
    assert!(names.contains(&"merge"), "{names:?}");
    let install = std::fs::read_to_string(root().join("scripts/install.py")).unwrap();
    for name in names {
        place.run(&format!("man {name}"), &NOTHING).ok();
        assert!(install.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn wrong_use_is_exit_code_2() {
    let place = Place::new();
    for line in [
        "",
        "imagse x",
        "images",
        "images x --crop 0",
        "images x --range 3,1",
        "checkpoints x",
    ] {
        let ran = place.run(line, &NOTHING);
        assert_eq!(ran.code(), 2, "{line}: {}", ran.err());
    }
}
