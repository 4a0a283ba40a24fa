//! A fault at each call of a run that changes the disk, then the same command again: in the end there is what a run
//! without a fault leaves, or the program said otherwise.
//!
//! Some calls, spread over the run, in every `make test`; all of them in `make torture`.

mod disk;
mod runs;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use self::disk::Loss;
use self::runs::{Kind, Torture};
use crate::program::support::root;

/// How many calls of a run's processes are tried in a way of failing, but for `make torture`.
const FEW: usize = 6;

const MODES: [&str; 4] = ["kill_half", "kill_after", "full", "eio"];

/// `faults.c`, for `LD_PRELOAD`.
static FAULTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [made, library] = [
        format!("faults.{}.so", std::process::id()),
        "faults.so".into(),
    ]
    .map(|name| folder.join(name));
    let source = root().join("tests/all/program/torture/faults.c");
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&made, &source])
        .arg("-ldl")
        .status();
    assert!(compiled.unwrap().success());
    // Another process may be using the one that is there.
    std::fs::rename(made, &library).unwrap();
    library
});

#[test]
fn images() {
    torture(Kind::Images);
}

#[test]
fn checkpoints() {
    torture(Kind::Checkpoints);
}

#[test]
fn checkpoints_that_go_on() {
    torture(Kind::Continued);
}

#[test]
fn followed_checkpoints() {
    torture(Kind::Followed);
}

#[test]
fn parts_and_merge() {
    torture(Kind::Parts);
}

#[test]
fn training() {
    torture(Kind::Training);
}

/// Every process of a run, every way of failing, at some calls or all.
#[track_caller]
fn torture(kind: Kind) {
    let torture = Torture::new(kind);
    let (mut tried, mut wrong) = (0, String::new());
    let processes = torture.processes();
    let few = (FEW / processes.len()).min(3);
    for (n, process) in processes.iter().enumerate() {
        for at in some(process.calls.len(), few) {
            let call = &process.calls[at];
            let mut found = |how: &str, what: Vec<String>| {
                tried += 1;
                let lines = what
                    .iter()
                    .map(|what| format!("process {n}, {how} {call}: {what}\n"));
                wrong.extend(lines);
            };
            for mode in MODES {
                found(&format!("{mode} at"), torture.fault(process, at, mode));
            }
            for loss in Loss::EACH {
                let what = torture.power_loss(process, at, loss);
                found(&format!("{loss:?} lost before"), what);
            }
        }
    }
    eprintln!("{kind:?}: {tried} points");
    assert!(wrong.is_empty(), "of {tried} points:\n{wrong}");
}

/// Which of so many calls are tried: all, or a few from the first to the last.
fn some(calls: usize, few: usize) -> Vec<usize> {
    if std::env::var_os("VGGSCOPE_TORTURE").is_some() || calls <= few {
        return (0..calls).collect();
    }
    (0..few).map(|i| i * (calls - 1) / (few - 1)).collect()
}
