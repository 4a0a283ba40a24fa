use super::*;
use proptest::prelude::*;

fn told(names: &[&str]) -> Result<Vec<i64>, Untold> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    steps_from_names(&names)
}

#[test]
fn one_number_in_each_name() {
    let sets: [(&[&str], &[i64]); 9] = [
        (&["epoch_003", "epoch_010"], &[3, 10]),
        (&["step_000100", "step_000200"], &[100, 200]),
        (&["checkpoint-500", "checkpoint-1000"], &[500, 1000]),
        (&["0", "1", "2"], &[0, 1, 2]),
        (&["model_1", "model_best_2"], &[1, 2]),
        (
            &["checkpoint-1e3", "checkpoint-5e3", "checkpoint-1e4"],
            &[1000, 5000, 10_000],
        ),
        (
            &["iter500", "iter1k", "iter90K", "iter1M"],
            &[500, 1000, 90_000, 1_000_000],
        ),
        (&["vgg11", "vgg16"], &[11, 16]),
        (&["model.7"], &[7]),
    ];
    for (names, steps) in sets {
        assert_eq!(told(names).as_deref(), Ok(steps), "{names:?}");
    }
}

#[test]
fn a_word_says_which_number() {
    let sets: [(&[&str], &[i64]); 12] = [
        (
            &["vgg16-epoch=12-step=3400", "vgg16-epoch=13-step=3700"],
            &[3400, 3700],
        ),
        (&["vgg16_e5_loss0.123", "vgg16_e12_loss0.1"], &[5, 12]),
        (&["vgg16e5", "vgg16e6"], &[5, 6]),
        (&["vgg16.5", "vgg16.6"], &[5, 6]),
        (&["VGG16_Epoch3_acc71", "VGG16_Epoch4_acc70"], &[3, 4]),
        (&["epoch_1_iter_100", "epoch_1_iter_200"], &[100, 200]),
        // Equal in all files, so it says nothing.
        (&["epoch_1_iter_100", "epoch_2_iter_100"], &[1, 2]),
        // A step that begins anew with every epoch does not tell the checkpoints apart.
        (
            &["epoch1_step100", "epoch2_step100", "epoch3_step50"],
            &[1, 2, 3],
        ),
        (&["run2_global_step10_x", "run3_global_step20_y"], &[10, 20]),
        (&["a1_epoch_7", "b2_final_epoch_9"], &[7, 9]),
        (&["modelEpoch4-397923", "modelEpoch5-614001"], &[4, 5]),
        (&["vgg16_e5_loss0.123"], &[5]),
    ];
    for (names, steps) in sets {
        assert_eq!(told(names).as_deref(), Ok(steps), "{names:?}");
    }
}

#[test]
fn without_a_word_the_number_that_differs() {
    let sets: [(&[&str], &[i64]); 4] = [
        (&["2024-05-01_10", "2024-05-01_20"], &[10, 20]),
        (&["net3_0001_64px", "net3_0002_64px"], &[1, 2]),
        (&["lr1e-4_bs32_7", "lr1e-4_bs32_8"], &[7, 8]),
        (&["net3_5_loss0.5", "net3_6_loss0.25"], &[5, 6]),
    ];
    for (names, steps) in sets {
        assert_eq!(told(names).as_deref(), Ok(steps), "{names:?}");
    }
}

#[test]
fn names_that_do_not_tell() {
    let sets: [(&[&str], Untold); 9] = [
        (&["epoch_1", "model_best"], Untold::NoNumber(1)),
        (&["loss0.5", "loss0.25"], Untold::NoNumber(0)),
        (&["2024-05-01_10", "2024-05-02_20"], Untold::Ambiguous(0, 1)),
        (&["2024-05-01_10"], Untold::Ambiguous(0, 0)),
        (&["a1_b1", "a1_b2", "a2_b2"], Untold::Ambiguous(0, 1)),
        (&["x_1", "x_1_2"], Untold::Ambiguous(0, 1)),
        (
            &["loss1_2", "loss0.5_3", "loss2_4"],
            Untold::Ambiguous(0, 1),
        ),
        (
            &["epoch1_step50", "epoch2_step10"],
            Untold::Contradiction(1, 0),
        ),
        (&["step_1", "step_9223372036854775808"], Untold::TooLarge(1)),
    ];
    for (names, untold) in sets {
        assert_eq!(told(names), Err(untold), "{names:?}");
    }
}

#[test]
fn equal_steps_are_told_as_they_are() {
    // Two files of one name, from different folders, and a counter that is not unique.
    assert_eq!(told(&["epoch_1", "epoch_1"]), Ok(vec![1, 1]));
    assert_eq!(told(&["net3_1", "net3_1"]), Ok(vec![1, 1]));
    assert_eq!(
        told(&["epoch_1_iter_100", "epoch_1_iter_200", "epoch_2_iter_100"]),
        Ok(vec![100, 200, 100])
    );
}

#[test]
fn the_largest_step() {
    assert_eq!(told(&["step_9223372036854775807"]), Ok(vec![i64::MAX]));
    assert_eq!(told(&["step_9e18"]), Ok(vec![9_000_000_000_000_000_000]));
    assert_eq!(told(&["step_1e19"]), Err(Untold::TooLarge(0)));
    assert_eq!(told(&["step_1e999999999999"]), Err(Untold::TooLarge(0)));
}

proptest! {
    #[test]
    fn never_panics(names in prop::collection::vec("[a-z0-9eEkM._=+ é-]{0,12}", 0..5)) {
        let _ = steps_from_names(&names);
    }

    #[test]
    fn a_counter_among_equal_numbers_is_found(
        steps in prop::collection::hash_set(0_i64..=i64::MAX, 2..6),
        width in 0_usize..8,
    ) {
        let steps: Vec<i64> = steps.into_iter().collect();
        let names: Vec<String> =
            steps.iter().map(|step| format!("vgg16_bn-seed42_{step:0width$}_lr1e-3")).collect();
        prop_assert_eq!(steps_from_names(&names), Ok(steps));
    }

    #[test]
    fn a_word_wins_over_other_numbers(
        pairs in prop::collection::hash_map(0_i64..1_000_000, 0_i64..100, 2..6),
        word in prop::sample::select(vec!["step", "iter", "epoch", "Iteration", "ep", "it"]),
        between in prop::sample::select(vec!["", "_", "-", "="]),
    ) {
        let names: Vec<String> =
            pairs.iter().map(|(step, acc)| format!("acc{acc}_{word}{between}{step}")).collect();
        prop_assert_eq!(steps_from_names(&names), Ok(pairs.keys().copied().collect::<Vec<_>>()));
    }
}
