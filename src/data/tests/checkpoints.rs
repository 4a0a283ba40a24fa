//! Lists of checkpoints, of folders made for the test.

use super::decoding::with_sources;
use super::lists::folder_of;
use crate::data::checkpoints::{
    CheckpointError, Selection, Sequence, StepSource, list_checkpoints,
};
use crate::data::find::FindError;
use proptest::prelude::*;

pub(super) const BY_NAME: Selection<'static> = Selection {
    step: StepSource::Name,
    exclude: &[],
};

pub(super) fn shown(sequence: &Sequence) -> Vec<(String, i64)> {
    let checkpoints = sequence.checkpoints.iter();
    checkpoints.map(|c| (c.name.clone(), c.step)).collect()
}

/// The checkpoints of a folder with these files, and the notes.
pub(super) fn listed(
    names: &[&str],
    selection: &Selection<'_>,
) -> (Vec<(String, i64)>, Vec<String>) {
    let folder = folder_of(names);
    let sequence = list_checkpoints(&[folder.path()], selection).unwrap();
    (shown(&sequence), sequence.notes)
}

pub(super) fn pairs(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected
        .iter()
        .map(|&(name, step)| (name.to_owned(), step))
        .collect()
}

/// The steps of a folder with these files, or of `source`: `name`, `index` or an expression.
pub(super) fn steps(names: &[&str], source: &str) -> Result<Vec<(String, i64)>, CheckpointError> {
    let folder = folder_of(names);
    let selection = Selection {
        step: source.parse().unwrap(),
        ..BY_NAME
    };
    let sequence = list_checkpoints(&[folder.path()], &selection)?;
    Ok(shown(&sequence))
}

#[test]
fn a_folder_of_checkpoints_by_step() {
    let names = [
        "epoch_10.pth",
        "epoch_9.pth",
        "epoch_100.PT",
        "epoch_1.pth.tar",
        "epoch_3.safetensors",
        "epoch_4.bpk",
        "epoch_5.ckpt",
        "log_6.txt",
        ".epoch_7.pth",
        "older/epoch_8.pth",
    ];
    let expected = [
        ("epoch_1.pth.tar", 1),
        ("epoch_3.safetensors", 3),
        ("epoch_4.bpk", 4),
        ("epoch_5.ckpt", 5),
        ("epoch_9.pth", 9),
        ("epoch_10.pth", 10),
        ("epoch_100.PT", 100),
    ];
    let expected = expected.map(|(name, step)| (name.to_owned(), step));
    assert_eq!(steps(&names, "name").unwrap(), expected);
}

#[test]
fn by_index_any_names_will_do() {
    let names = ["best.pth", "e10_s1.pth", "e2_s9.pth", "Alpha.pt"];
    let expected = [
        ("Alpha.pt", 0),
        ("best.pth", 1),
        ("e2_s9.pth", 2),
        ("e10_s1.pth", 3),
    ];
    let expected = expected.map(|(name, step)| (name.to_owned(), step));
    assert_eq!(steps(&names, "index").unwrap(), expected);
}

#[test]
fn files_and_patterns_are_put_in_order_too() {
    let folder = folder_of(&["x/it20.pth", "y/it3.pth", "y/it100.bin", "y/notes5.txt"]);
    let words = ["y/it100.bin", "x/*.pth", "y/*", "y/it3.pth"].map(|word| folder.path().join(word));
    let found = list_checkpoints(&words, &BY_NAME).unwrap().checkpoints;
    assert_eq!(
        found.iter().map(|c| c.step).collect::<Vec<_>>(),
        [3, 20, 100]
    );
}

#[test]
fn the_last_number_that_varies_is_the_step() {
    let sets: [(&[&str], &[i64]); 17] = [
        (&["epoch_003", "epoch_010"], &[3, 10]),
        (&["0", "1", "2"], &[0, 1, 2]),
        (&["model_1", "model_new_2"], &[1, 2]),
        (&["vgg11", "vgg16"], &[11, 16]),
        (&["model.7"], &[7]),
        (&["2024-05-01_10"], &[10]),
        (
            &["iter500", "iter1k", "iter90K", "iter1M"],
            &[500, 1000, 90_000, 1_000_000],
        ),
        (
            &["vgg16-epoch=12-step=3400", "vgg16-epoch=13-step=3700"],
            &[3400, 3700],
        ),
        (&["vgg16_e5_loss0.123", "vgg16_e12_loss0.1"], &[5, 12]),
        (&["epoch_1_iter_100", "epoch_2_iter_100"], &[1, 2]),
        (&["run2_global_step10_x", "run3_global_step20_y"], &[10, 20]),
        (&["2024-05-01_10", "2024-05-02_20"], &[10, 20]),
        (&["net3_0001_64px", "net3_0002_64px"], &[1, 2]),
        (&["7_lr1e-4_bs32", "8_lr1e-4_bs32"], &[7, 8]),
        (&["x_1", "x_1_2"], &[1, 2]),
        (&["step_9223372036854775807"], &[i64::MAX]),
        // Counted from the end, so that a word more at the beginning changes nothing.
        (&["1_64px", "net3_2_64px"], &[1, 2]),
    ];
    for (names, expected) in sets {
        let files: Vec<String> = names.iter().map(|name| format!("{name}.pth")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let found = steps(&files, "name").unwrap();
        let found: Vec<i64> = found.into_iter().map(|(_, step)| step).collect();
        assert_eq!(found, expected, "{names:?}");
    }
}

#[test]
fn an_expression_captures_the_step() {
    let names = ["epoch3_acc71.pth", "epoch12_acc70.pth"];
    let error = steps(&names, "name").unwrap_err();
    assert!(matches!(error, CheckpointError::Ambiguous { .. }));
    let found = steps(&names, r"epoch(\d+)").unwrap();
    let expected = [("epoch3_acc71.pth", 3), ("epoch12_acc70.pth", 12)];
    assert_eq!(found, expected.map(|(name, step)| (name.to_owned(), step)));

    for regex in [r"epoch_(\d+)", "(epoch)", r"(-?\d{99})?"] {
        let error = steps(&names, regex).unwrap_err();
        assert!(matches!(error, CheckpointError::NoMatch { .. }), "{regex}");
        let text = error.to_string();
        assert!(
            text.contains("epoch3_acc71.pth") && text.contains(regex),
            "{text}"
        );
    }
    let error = steps(&names, r"(\d)\.pth").map(|found| found.len());
    assert_eq!(error.unwrap(), 2);
    let error = steps(&["a1_7.pth", "b1_8.pth"], r"[ab](\d)");
    assert!(matches!(
        error,
        Err(CheckpointError::SameStep { step: 1, .. })
    ));
}

#[test]
fn where_steps_come_from_is_a_word_or_an_expression() {
    for text in ["name", "index", r"epoch_(\d+)"] {
        let source: StepSource = text.parse().unwrap();
        assert_eq!(source.to_string(), text);
    }
    for text in ["", r"epoch\d+", "names", "(a)(b)"] {
        let error = text.parse::<StepSource>().unwrap_err().to_string();
        assert!(error.contains("one group"), "{error}");
    }
    let error = "(epoch".parse::<StepSource>().unwrap_err().to_string();
    assert!(error.contains("unclosed group"), "{error}");
}

#[test]
fn names_without_an_order_are_refused() {
    let message = |names: &[&str]| {
        let error = steps(names, "name").unwrap_err();
        let text = with_sources(&error);
        assert!(!text.contains('\n'), "{text}");
        (error, text)
    };
    let (error, text) = message(&["model.pth", "model_best.pth"]);
    assert!(matches!(error, CheckpointError::NoNumber { .. }));
    assert!(text.contains("model.pth, model_best.pth"), "{text}");

    let (error, text) = message(&["epoch_1.pth", "epoch_01.pt"]);
    assert!(matches!(error, CheckpointError::SameStep { step: 1, .. }));
    assert!(
        text.contains("epoch_1.pth") && text.contains("epoch_01.pt"),
        "{text}"
    );

    let (error, text) = message(&["epoch1_step50.pth", "epoch2_step10.pth"]);
    assert!(matches!(error, CheckpointError::Ambiguous { .. }));
    assert!(text.contains("epoch2_step10.pth and "), "{text}");

    let (error, text) = message(&["step_99999999999999999999.pth"]);
    assert!(matches!(error, CheckpointError::OutOfRange { .. }));
    assert!(text.contains("9223372036854775807"), "{text}");

    let found = |name| {
        let folder = folder_of(&[name]);
        list_checkpoints(&[folder.path()], &BY_NAME).unwrap_err()
    };
    assert!(matches!(
        found("a.txt"),
        CheckpointError::Find(FindError::EmptyFolder { .. })
    ));
    assert!(matches!(
        found("a.png"),
        CheckpointError::Find(FindError::Other { count: 1, .. })
    ));
    let text = found("a.png").to_string();
    assert!(
        text.contains("no checkpoint in this folder, which holds 1 image"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_names_have_steps_or_an_error(
        names in prop::collection::hash_set("[a-z0-9eEkM.=+ é-]{0,12}", 1..5)
    ) {
        let names: Vec<String> = names.iter().map(|name| format!("x{name}.pth")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = steps(&names, "name");
    }

    #[test]
    fn a_counter_among_equal_numbers_is_found(
        steps_given in prop::collection::btree_set(0_i64..=i64::MAX, 2..6),
        width in 0_usize..8,
    ) {
        let name = |step: &i64| format!("vgg16_bn-seed42_{step:0width$}_lr1e-3.pth");
        let names: Vec<String> = steps_given.iter().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = steps(&names, "name").unwrap();
        let found: Vec<i64> = found.into_iter().map(|(_, step)| step).collect();
        prop_assert_eq!(found, steps_given.into_iter().collect::<Vec<_>>());
    }
}
