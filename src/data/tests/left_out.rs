//! What is left out of a sequence of checkpoints, and what is said of it.

use std::path::PathBuf;

use super::checkpoints::{BY_NAME, listed, pairs, shown, steps};
use super::lists::folder_of;
use crate::data::checkpoints::{CheckpointError, Selection, StepSource, list_checkpoints};
use glob::Pattern;
use regex::Regex;

/// Files of a folder, the steps of those shown, and what the notes name.
type Case = (
    &'static [&'static str],
    &'static [(&'static str, i64)],
    &'static [&'static str],
);

#[track_caller]
fn check(cases: &[Case]) {
    for (names, expected, said) in cases {
        let (found, notes) = listed(names, &BY_NAME);
        assert_eq!(found, pairs(expected), "{names:?}: {notes:?}");
        assert_eq!(notes.is_empty(), said.is_empty(), "{notes:?}");
        for part in *said {
            assert!(
                notes.iter().any(|note| note.contains(part)),
                "no {part:?} in {notes:?}"
            );
        }
        assert!(notes.iter().all(|note| !note.contains('\n')), "{notes:?}");
    }
}

#[test]
fn what_is_not_of_the_sequence_is_left_out_and_named() {
    let cases: [Case; 8] = [
        (
            &[
                "epoch=1-step=200.ckpt",
                "epoch=2-step=300.ckpt",
                "last.ckpt",
            ],
            &[
                ("epoch=1-step=200.ckpt", 200),
                ("epoch=2-step=300.ckpt", 300),
            ],
            &["last.ckpt"],
        ),
        // Lightning's versions: never a step, and the later of two with one step.
        (
            &["epoch=5.ckpt", "epoch=7.ckpt", "last.ckpt", "last-v1.ckpt"],
            &[("epoch=5.ckpt", 5), ("epoch=7.ckpt", 7)],
            &["last-v1.ckpt, last.ckpt"],
        ),
        (
            &[
                "epoch=2-step=300.ckpt",
                "epoch=2-step=300-v1.ckpt",
                "epoch=2-step=300-v10.ckpt",
                "epoch=1-step=9.ckpt",
            ],
            &[
                ("epoch=1-step=9.ckpt", 9),
                ("epoch=2-step=300-v10.ckpt", 300),
            ],
            &[
                "epoch=2-step=300-v1.ckpt",
                "epoch=2-step=300.ckpt",
                "the later version",
            ],
        ),
        (
            &["net-v1.pth", "net-v2.pth"],
            &[("net-v1.pth", 1), ("net-v2.pth", 2)],
            &[],
        ),
        // mmcv's.
        (
            &[
                "epoch_170.pth",
                "epoch_180.pth",
                "best_acc_93.2_epoch_175.pth",
            ],
            &[("epoch_170.pth", 170), ("epoch_180.pth", 180)],
            &["best_acc_93.2_epoch_175.pth"],
        ),
        (
            &[
                "epoch_3.pth",
                "epoch_4.pth",
                "model_best_epoch_3.pth",
                "BestModel_acc93.pth",
                "final_4.pth",
                "swa_4.pth",
            ],
            &[("epoch_3.pth", 3), ("epoch_4.pth", 4)],
            &["BestModel_acc93.pth, final_4.pth, model_best_epoch_3.pth, swa_4.pth"],
        ),
        (
            &[
                "model010000.pt",
                "model020000.pt",
                "ema_0.9999_010000.pt",
                "opt010000.pt",
            ],
            &[("model010000.pt", 10_000), ("model020000.pt", 20_000)],
            &["opt010000.pt", "ema_0.9999_010000.pt"],
        ),
        (
            &["best_1.pth", "best_2.pth", "model.pth"],
            &[("best_1.pth", 1), ("best_2.pth", 2)],
            &["model.pth"],
        ),
    ];
    check(&cases);
}

#[test]
fn folders_number_what_has_no_number_of_its_own() {
    let cases: [Case; 9] = [
        // What all begin with is no step.
        (
            &[
                "vgg16_epoch_1.pth",
                "vgg16_epoch_2.pth",
                "vgg16_imagenet.pth",
            ],
            &[("vgg16_epoch_1.pth", 1), ("vgg16_epoch_2.pth", 2)],
            &["vgg16_imagenet.pth"],
        ),
        // transformers: the folder has the number, and what stands next to the folders has none.
        (
            &[
                "checkpoint-500/model.safetensors",
                "checkpoint-500/optimizer.pt",
                "checkpoint-500/rng_state.pth",
                "checkpoint-1000/model.safetensors",
                "checkpoint-1000/pytorch_model.bin",
                "checkpoint-1000/scheduler.pt",
                "checkpoint-1000/training_args.bin",
                "model.safetensors",
                "training_args.bin",
            ],
            &[
                ("checkpoint-500/model.safetensors", 500),
                ("checkpoint-1000/model.safetensors", 1000),
            ],
            &[
                "training_args.bin",
                "left out: model.safetensors",
                "step 1000 is checkpoint-1000/model.safetensors",
            ],
        ),
        (
            &[
                "step_00500/pytorch_model.bin",
                "step_01000/pytorch_model.bin",
            ],
            &[
                ("step_00500/pytorch_model.bin", 500),
                ("step_01000/pytorch_model.bin", 1000),
            ],
            &[],
        ),
        (
            &[
                "epoch_3/model_0.pth",
                "epoch_12/model_0.pth",
                "best/model_0.pth",
            ],
            &[("epoch_3/model_0.pth", 3), ("epoch_12/model_0.pth", 12)],
            &["best/model_0.pth"],
        ),
        (
            &["logs/a/iter_1000.pth", "logs/a/iter_90.pth"],
            &[("iter_90.pth", 90), ("iter_1000.pth", 1000)],
            &[],
        ),
        (
            &["ckpt-1000-of-2000.pt", "ckpt-1500-of-2000.pt"],
            &[
                ("ckpt-1000-of-2000.pt", 1000),
                ("ckpt-1500-of-2000.pt", 1500),
            ],
            &[],
        ),
        // A single file needs no number, and an old one's total is none.
        (&["model_best.pth"], &[("model_best.pth", 0)], &[]),
        (&["ckpt-7-of-90.pth"], &[("ckpt-7-of-90.pth", 7)], &[]),
        (
            &["checkpoint-500/model.safetensors"],
            &[("checkpoint-500/model.safetensors", 500)],
            &[],
        ),
    ];
    check(&cases);
}

#[test]
fn the_same_for_files_folders_and_patterns() {
    let folder = folder_of(&[
        "a/epoch_1.pth",
        "a/best.pth",
        "b/epoch_2.pth",
        "b/last-v3.ckpt",
        "c2/model.pth",
        "c2/model_v1/x.txt",
    ]);
    let args: [&[&str]; 4] = [
        &["a", "b"],
        &[
            "a/epoch_1.pth",
            "a/best.pth",
            "b/epoch_2.pth",
            "b/last-v3.ckpt",
        ],
        &["[ab]/*"],
        &["."],
    ];
    for args in args {
        let words: Vec<PathBuf> = args.iter().map(|arg| folder.path().join(arg)).collect();
        let sequence = list_checkpoints(&words, &BY_NAME).unwrap();
        let found = shown(&sequence);
        assert_eq!(
            found,
            pairs(&[("a/epoch_1.pth", 1), ("b/epoch_2.pth", 2)]),
            "{args:?}"
        );
        let notes = sequence.notes.join("\n");
        assert!(
            notes.contains("a/best.pth") && notes.contains("b/last-v3.ckpt"),
            "{notes}"
        );
    }
    // A folder that is given does not number what is in it.
    for (names, expected) in [
        (
            &["2024/best.pth", "2024/epoch_1.pth"][..],
            ("epoch_1.pth", 1),
        ),
        (&["2024/best.pth"], ("best.pth", 0)),
    ] {
        let folder = folder_of(names);
        let sequence = list_checkpoints(&[folder.path().join("2024")], &BY_NAME).unwrap();
        assert_eq!(shown(&sequence), pairs(&[expected]));
    }
}

#[cfg(unix)]
#[test]
fn links_to_listed_files_are_the_same_file() {
    use std::os::unix::fs::symlink;
    let folder = folder_of(&["epoch_100.pth", "epoch_200.pth"]);
    let root = folder.path();
    symlink("epoch_200.pth", root.join("latest.pth")).unwrap();
    symlink("epoch_200.pth", root.join("epoch_150.pth")).unwrap();
    symlink("/gone/epoch_300.pth", root.join("newest.pth")).unwrap();
    let sequence = list_checkpoints(&[root], &BY_NAME).unwrap();
    let expected = pairs(&[("epoch_100.pth", 100), ("epoch_200.pth", 200)]);
    assert_eq!(shown(&sequence), expected);
    let notes = sequence.notes.join("\n");
    for part in ["latest.pth -> ", "epoch_150.pth -> ", "newest.pth"] {
        assert!(notes.contains(part), "{notes}");
    }
    // A link to a file elsewhere is a checkpoint, one to nothing is left out and named.
    let elsewhere = folder_of(&["weights.pth"]);
    symlink(
        elsewhere.path().join("weights.pth"),
        root.join("epoch_300.pth"),
    )
    .unwrap();
    symlink("gone.pth", root.join("epoch_400.pth")).unwrap();
    let sequence = list_checkpoints(&[root], &BY_NAME).unwrap();
    assert_eq!(shown(&sequence)[2..], pairs(&[("epoch_300.pth", 300)]));
    let notes = sequence.notes.join("\n");
    let gone = "epoch_400.pth (a link to gone.pth, which leads nowhere)";
    assert!(notes.contains(gone), "{notes}");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_above_is_named() {
    let folder = folder_of(&["checkpoint-1/model.pth", "checkpoint-2/model.pth"]);
    std::os::unix::fs::symlink("..", folder.path().join("checkpoint-2/all")).unwrap();
    let sequence = list_checkpoints(&[folder.path()], &BY_NAME).unwrap();
    assert_eq!(sequence.checkpoints.len(), 2);
    let note = sequence.notes.join("\n");
    assert!(note.contains("checkpoint-2/all (a link to "), "{note}");
}

#[test]
fn patterns_are_excluded() {
    let names = [
        "epoch_1.pth",
        "epoch_2.pth",
        "epoch_3.pth",
        "epoch_4.pth",
        "old_9.pth",
    ];
    let patterns = |texts: &[&str]| -> Vec<Pattern> {
        texts
            .iter()
            .map(|text| Pattern::new(text).unwrap())
            .collect()
    };
    let exclude = patterns(&["old*", "*_2.pth", "nothing*"]);
    let selection = Selection {
        exclude: &exclude,
        ..BY_NAME
    };
    let (found, notes) = listed(&names, &selection);
    assert_eq!(
        found,
        pairs(&[("epoch_1.pth", 1), ("epoch_3.pth", 3), ("epoch_4.pth", 4)])
    );
    assert_eq!(notes, ["excluded: 'nothing*' matches no checkpoint",]);
    let folders = [
        "checkpoint-1/model.bin",
        "checkpoint-2/model.bin",
        "checkpoint-3/model.bin",
    ];
    for texts in [
        &["checkpoint-2"][..],
        &["checkpoint-2/*"],
        &["**/checkpoint-2/*.bin"],
    ] {
        let exclude = patterns(texts);
        let (found, _) = listed(
            &folders,
            &Selection {
                exclude: &exclude,
                ..BY_NAME
            },
        );
        assert_eq!(found.len(), 2, "{texts:?}: {found:?}");
    }
    let exclude = patterns(&["*"]);
    let folder = folder_of(&names);
    let error = list_checkpoints(
        &[folder.path()],
        &Selection {
            exclude: &exclude,
            ..BY_NAME
        },
    );
    assert!(matches!(
        error,
        Err(CheckpointError::AllExcluded { count: 5, .. })
    ));
}

#[test]
fn an_expression_sees_folders_and_leaves_out_what_it_does_not_match() {
    let names = [
        "epoch_1/model_5.pth",
        "epoch_2/model_4.pth",
        "epoch_x/model_3.pth",
    ];
    let step = StepSource::Captured(Regex::new(r"^epoch_(\d+)/").unwrap());
    let (found, notes) = listed(&names, &Selection { step, ..BY_NAME });
    assert_eq!(
        found,
        pairs(&[("epoch_1/model_5.pth", 1), ("epoch_2/model_4.pth", 2)])
    );
    assert!(notes[0].contains("epoch_x/model_3.pth"), "{notes:?}");
    let names = ["epoch_175.pth", "best_acc_93.2_epoch_175.pth", "last.pth"];
    let step = StepSource::Captured(Regex::new(r"epoch_(\d+)").unwrap());
    let (found, notes) = listed(&names, &Selection { step, ..BY_NAME });
    assert_eq!(found, pairs(&[("epoch_175.pth", 175)]));
    assert_eq!(notes.len(), 2, "{notes:?}");
}

#[test]
fn numbers_that_are_no_steps_are_refused_by_name() {
    for name in [
        "epoch=-1.ckpt",
        "epoch_-3.ckpt",
        "step_99999999999999999999.pth",
    ] {
        let error = steps(&[name], "name").unwrap_err();
        assert!(
            matches!(error, CheckpointError::OutOfRange { .. }),
            "{name}"
        );
        assert!(error.to_string().contains(name), "{error}");
    }
    // Where they are not the step, they do not matter.
    let names = ["lr=-4_epoch-1.pth", "lr=-4_epoch-2.pth"];
    assert_eq!(
        steps(&names, "name").unwrap(),
        pairs(&[(names[0], 1), (names[1], 2)])
    );
}
