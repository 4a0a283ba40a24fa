//! `vggscope view`: TensorBoard with room for every step.

use std::fs;
use std::path::PathBuf;

use super::inspect::fixtures;
use crate::program::support::Place;

#[test]
fn tensorboard_gets_room_for_every_step() {
    let place = Place::new();
    let plain = fixtures().join("by_pytorch/plain");
    let out = place
        .run("view --print", std::slice::from_ref(&plain))
        .ok()
        .out();
    assert!(out.starts_with("tensorboard --logdir "), "{out}");
    assert!(
        out.contains("images=1000000,") && out.contains("scalars=1000000,"),
        "{out}"
    );
    let both = [plain.clone(), fixtures().join("by_tensorflow")];
    let out = place.run("view --print", &both).ok().out();
    assert!(
        out.contains("--logdir_spec ") && out.contains("plain:"),
        "{out}"
    );
    place
        .run("view --print", &[] as &[PathBuf])
        .fails(2, &["runs"]);

    let without = place.run_with("view", std::slice::from_ref(&plain), |command| {
        command.env("PATH", "");
    });
    without.fails(1, &["not installed", "pip install tensorboard", "--logdir"]);
    // One that says how it was called.
    let program = place.write("bin/tensorboard", "#!/bin/sh\necho called \"$@\"\nexit 3\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/bin:/usr/bin", place.path("bin").display());
        let called = place.run_with("view", &["runs", "--", "--port", "6007"], |command| {
            command.env("PATH", &path);
        });
        called.fails(2, &["runs"]);
        fs::create_dir(place.path("runs")).unwrap();
        fs::copy(
            plain.join("events.out.tfevents.1700000004.host.1.0"),
            place.path("runs/a.tfevents"),
        )
        .unwrap();
        let called = place.run_with("view", &["runs", "--", "--port", "6007"], |command| {
            command.env("PATH", &path);
        });
        assert_eq!(called.code(), 3);
        assert!(
            called
                .out()
                .starts_with("called --logdir runs --samples_per_plugin "),
            "{}",
            called.out()
        );
        assert!(called.out().ends_with("--port 6007\n"), "{}", called.out());
    }
}

/// Every path arrives at TensorBoard as it is, through a shell and TensorBoard's own parser.
#[test]
#[cfg(unix)]
fn any_path_can_be_viewed() {
    let place = Place::new();
    let event_file = fixtures().join("by_pytorch/plain/events.out.tfevents.1700000004.host.1.0");
    let names = [
        "plain",
        "with space",
        "it's \"quoted\"",
        "co:lon",
        "co_lon",
        "-dash",
        "~tilde",
        "a/deep",
    ];
    for name in names.iter().chain(&["com,ma"]) {
        let folder = place.path(name);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&event_file, folder.join("tfevents")).unwrap();
    }
    let words = |args: &[PathBuf]| -> Vec<String> {
        let printed = place.run("view --print", args).ok().out();
        let script = printed.replacen("tensorboard", "printf '%s\\n'", 1);
        let mut shell = std::process::Command::new("sh");
        let output = shell.arg("-c").arg(script).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let typed = |name: &str| PathBuf::from(format!("./{name}"));
    for name in names.iter().chain(&["com,ma"]) {
        for path in [typed(name), place.path(name)] {
            let words = words(std::slice::from_ref(&path));
            assert_eq!(words[0], "--logdir");
            assert!(!words[1].starts_with(['-', '~']), "{words:?}");
            let folder = place.path(".").join(&words[1]);
            assert_eq!(
                folder.canonicalize().unwrap(),
                place.path(name).canonicalize().unwrap()
            );
        }
    }
    // As `_parse_event_files_spec` takes it apart.
    for all in [names.map(typed), names.map(|name| place.path(name))] {
        let words = words(&all);
        assert_eq!(words[0], "--logdir_spec");
        let mut seen = std::collections::BTreeSet::new();
        for (spec, name) in words[1].split(',').zip(names) {
            assert!(!spec.starts_with('/'), "{spec}");
            let (run, folder) = spec.split_once(':').unwrap();
            assert!(seen.insert(run.to_owned()), "{run} twice");
            assert_eq!(
                place.path(".").join(folder).canonicalize().unwrap(),
                place.path(name).canonicalize().unwrap()
            );
        }
        assert_eq!(seen.len(), names.len());
    }
    place
        .run("view --print", &[typed("plain"), typed("com,ma")])
        .fails(2, &["com,ma", "comma"]);
}
