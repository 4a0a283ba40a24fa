use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::layer::nearly_equal;
use super::*;

/// Four layers, the first of which has kernels of 3 x 3 over 3 channels.
const SHAPES: [(&str, usize, usize); 4] = [
    ("conv1_1", 64, 27),
    ("conv2_1", 32, 144),
    ("conv3_1", 48, 288),
    ("conv4_1", 64, 432),
];

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let sum: f32 = (0..12).map(|_| rng.random_range(0.0_f32..1.0)).sum();
    sum - 6.0
}

fn network(rng: &mut ChaCha8Rng) -> Vec<LayerWeights> {
    let layer = |(name, filters, each): (&str, usize, usize)| LayerWeights {
        name: name.to_owned(),
        filters,
        values: (0..filters * each).map(|_| normal(rng) * 0.1).collect(),
        bias: vec![0.0; filters],
    };
    SHAPES.map(layer).into()
}

fn add_noise(rng: &mut ChaCha8Rng, network: &mut [LayerWeights], noise: f32) {
    for value in network.iter_mut().flat_map(|layer| &mut layer.values) {
        *value += noise * 0.1 * normal(rng);
    }
}

fn filter(layer: &mut LayerWeights, number: usize) -> &mut [f32] {
    let each = layer.values.len() / layer.filters;
    &mut layer.values[number * each..(number + 1) * each]
}

/// What is said of twelve networks; `edit` changes the one of each step after its noise.
fn lines(seed: u64, noise: f32, edit: impl Fn(i64, &mut Vec<LayerWeights>)) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut now = network(&mut rng);
    let mut summary = Summary::default();
    let mut before: Option<Vec<LayerWeights>> = None;
    for step in 1..=12 {
        add_noise(&mut rng, &mut now, noise);
        edit(step, &mut now);
        let changes: Vec<LayerChange> = before
            .iter()
            .flat_map(|before| before.iter().zip(&now))
            .map(|(old, new)| LayerChange::between(old, new))
            .collect();
        let non_finite = now.iter().map(|layer| NonFinite {
            layer: layer.name.clone(),
            count: layer.non_finite(),
        });
        let non_finite: Vec<_> = non_finite.filter(|layer| layer.count > 0).collect();
        summary.append(Summary::of_step(step, &changes, &non_finite, []));
        before = Some(now.clone());
    }
    summary.lines()
}

/// Rotated by 90 degrees, as `numpy.rot90` does it.
fn rotate(kernel: &mut [f32]) {
    for plane in kernel.chunks_mut(9) {
        let old = plane.to_vec();
        for (at, value) in plane.iter_mut().enumerate() {
            *value = old[at % 3 * 3 + 2 - at / 3];
        }
    }
}

#[test]
fn a_doubled_layer_a_zeroed_filter_and_a_turned_kernel_are_each_named() {
    for (seed, noise) in [(0, 0.002), (1, 0.005), (2, 0.01), (3, 0.02), (4, 0.0)] {
        let lines = lines(seed, noise, |step, network| {
            if step == 6 {
                network[2].values.iter_mut().for_each(|value| *value *= 2.0);
                rotate(filter(&mut network[0], 12));
            }
            if step >= 6 {
                filter(&mut network[3], 37).fill(0.0);
            }
        });
        let text = lines.join("\n");
        for expected in [
            "conv3_1 at step 6: x 2.00",
            "zeroed: filter 37 of conv4_1 at step 6",
            "direction changed: kernel 12 of conv1_1 at step 6",
        ] {
            assert!(text.contains(expected), "noise {noise}: {text}");
        }
        assert!(lines.len() <= 7);
        assert_eq!(
            text.matches(" at step ").count(),
            3 + usize::from(text.contains("conv4_1 at step 6: by")),
            "{text}"
        );
    }
}

#[test]
fn other_things_that_happen_are_named_too() {
    let halved = lines(5, 0.005, |step, network| {
        if step == 9 {
            network[1].values.iter_mut().for_each(|value| *value *= 0.5);
        }
    });
    assert!(
        halved[0].contains("conv2_1 at step 9: x 0.50"),
        "{halved:?}"
    );
    let replaced = lines(6, 0.005, |step, network| {
        if step == 3 {
            filter(&mut network[2], 5).reverse();
            for value in filter(&mut network[2], 6) {
                *value *= 10.0;
            }
        }
    });
    let text = replaced.join("\n");
    assert!(text.contains("filter 5 of conv3_1 at step 3"), "{text}");
    assert!(
        text.contains("filters changed: filter 6 of conv3_1 at step 3"),
        "{text}"
    );
    let back = lines(7, 0.0, |step, network| {
        let value = if step < 4 { 0.0 } else { 0.1 };
        filter(&mut network[1], 2).fill(value);
    });
    assert!(
        back.join("\n")
            .contains("came back from 0: filter 2 of conv2_1 at step 4"),
        "{back:?}"
    );
    let nan = lines(8, 0.005, |step, network| {
        if step >= 10 {
            network[3].values[7] = f32::NAN;
        }
    });
    assert!(
        nan.join("\n")
            .contains("NaN or infinite: 1 weights of conv4_1 from step 10 on"),
        "{nan:?}"
    );
}

#[test]
fn a_sequence_in_which_nothing_happens_says_so() {
    let same = lines(9, 0.0, |_, _| ());
    assert_eq!(
        same,
        ["nothing changed: all 12 steps (1 to 12) hold equal weights"]
    );
    for noise in [0.001, 0.01, 0.1] {
        let even = lines(10, noise, |_, _| ());
        assert_eq!(even.len(), 1, "{even:?}");
        assert!(even[0].starts_with("layers changed evenly"), "{even:?}");
    }
    let biases = lines(11, 0.0, |step, network| {
        if step == 5 {
            network[0].bias[3] = 1.0;
        }
    });
    assert_eq!(biases, ["only biases changed, no weight"]);
}

/// Large steps at the beginning, smaller ones later, as a training takes them.
#[test]
fn a_training_is_no_event() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut now = network(&mut rng);
    let mut summary = Summary::default();
    let mut before = now.clone();
    for step in 0..100 {
        add_noise(&mut rng, &mut now, 0.5 * 0.9_f32.powi(step));
        let changes: Vec<_> = before
            .iter()
            .zip(&now)
            .map(|(old, new)| LayerChange::between(old, new))
            .collect();
        let changes = if step == 0 { Vec::new() } else { changes };
        summary.append(Summary::of_step(i64::from(step), &changes, &[], []));
        before.clone_from(&now);
    }
    let lines = summary.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("evenly"), "{lines:?}");
}

#[test]
fn channels_that_died_and_stayed_so_are_named() {
    let mut summary = Summary::default();
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut now = network(&mut rng);
    for step in 0..6 {
        let before = now.clone();
        add_noise(&mut rng, &mut now, 0.01);
        let changes: Vec<_> = before
            .iter()
            .zip(&now)
            .map(|(old, new)| LayerChange::between(old, new))
            .collect();
        let changes = if step == 0 { Vec::new() } else { changes };
        // 1 was never alive, 2 comes back, 3 dies.
        let dead = match step {
            0..2 => vec![1],
            2 => vec![1, 2],
            _ => vec![1, 3],
        };
        summary.append(Summary::of_step(
            step,
            &changes,
            &[],
            [("relu1_1", dead.as_slice())],
        ));
    }
    let text = summary.lines().join("\n");
    assert!(
        text.contains("dead since: relu1_1, channel 3 (step 3)"),
        "{text}"
    );
}

/// Two processes that see a part of the steps each, the second one with the last step of the first before them.
#[test]
fn what_two_saw_is_what_one_saw() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut networks = vec![network(&mut rng)];
    for step in 1..10 {
        let mut next = networks[step - 1].clone();
        add_noise(&mut rng, &mut next, 0.01);
        match step {
            3 => filter(&mut next[1], 5).fill(0.0),
            7 => filter(&mut next[3], 2).fill(f32::NAN),
            _ => {}
        }
        networks.push(next);
    }
    // 1 dies before the seam, 2 behind it, 3 comes back behind it, 4 is dead from the first step on.
    let dead = |step: usize| {
        let is_dead = [(1, step >= 2), (2, step >= 8), (3, step < 6), (4, true)];
        let dead = is_dead.into_iter().filter(|(_, is_dead)| *is_dead);
        dead.map(|(channel, _)| channel).collect::<Vec<usize>>()
    };
    let seen = |steps: std::ops::Range<usize>, seam: Option<usize>| {
        let mut summary = Summary::default();
        if let Some(seam) = seam {
            let dead = [("relu1_1", &dead(seam)[..])];
            summary.append(Summary::of_step(
                i64::try_from(seam).unwrap(),
                &[],
                &[],
                dead,
            ));
        }
        for step in steps {
            let before = step.checked_sub(1).map(|before| &networks[before]);
            let changes: Vec<LayerChange> = before
                .into_iter()
                .flat_map(|before| before.iter().zip(&networks[step]))
                .map(|(old, new)| LayerChange::between(old, new))
                .collect();
            let count = networks[step][3].non_finite();
            let non_finite: Vec<_> = (count > 0)
                .then(|| NonFinite {
                    layer: "conv4_1".to_owned(),
                    count,
                })
                .into_iter()
                .collect();
            summary.append(Summary::of_step(
                i64::try_from(step).unwrap(),
                &changes,
                &non_finite,
                [("relu1_1", &dead(step)[..])],
            ));
        }
        summary
    };
    let whole = seen(0..10, None);
    let text = whole.lines().join("\n");
    for part in [
        "zeroed: filter 5 of conv2_1 at step 3",
        "relu1_1, 2 channels (first: 1, step 2)",
        "conv4_1 from step 7 on",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut parts = seen(0..5, None);
    for later in [seen(5..6, Some(4)), seen(6..10, Some(5))] {
        // As it is passed on, NaN included.
        let written = toml::to_string(&later).unwrap();
        parts.append(toml::from_str(&written).unwrap());
    }
    assert_eq!(parts.lines(), whole.lines());
}

/// `NumPy`: `old = np.arange(1, 13).reshape(2, 6)`, `new = old * [[2], [-1]] + 1`.
#[test]
fn numbers_are_numpys() {
    let old: Vec<f32> = (1..13_u8).map(f32::from).collect();
    let new = old.iter().enumerate();
    let new = new.map(|(at, old)| if at < 6 { 2.0 * old + 1.0 } else { 1.0 - old });
    let layer = |values| LayerWeights {
        name: "conv1_1".to_owned(),
        filters: 2,
        values,
        bias: Vec::new(),
    };
    let change = LayerChange::between(&layer(old.clone()), &layer(new.collect()));
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}");
    near(change.whole.relative(), 1.819_974_6);
    near(change.whole.cosine(), -0.389_843_4);
    near(change.filters[0].cosine(), 0.998_728_4);
    near(change.filters[1].cosine(), -0.999_791_7);
    assert_eq!(change.most_changed().map(|(filter, _)| filter), Some(1));
    let same = LayerChange::between(&layer(old.clone()), &layer(old));
    assert!(same.is_equal && same.whole.relative() == 0.0 && same.whole.cosine() >= 1.0);
}

/// Of filters of nothing but 0 (and -0), only those that their bias does not lift above 0.
#[test]
fn dead_filters_are_never_above_0() {
    let mut layer = LayerWeights {
        name: "conv1_1".to_owned(),
        filters: 4,
        values: vec![0.0, 0.0, -0.0, 0.0, 0.0, 1e-30, 0.0, 0.0],
        bias: vec![0.1, 0.0, -1.0, -0.1],
    };
    assert_eq!(layer.dead(), [1, 3]);
    layer.bias.clear();
    assert_eq!(layer.dead(), [0, 1, 3]);
    layer.bias = vec![f32::NAN; 4];
    assert_eq!(layer.dead(), [0; 0]);
}

proptest! {
    /// Scaled copies are found among random filters, wherever they are.
    #[test]
    fn nearly_equal_filters_are_found(seed in 0_u64..1000, one in 0_usize..20, by in 1_usize..20, scale in 0.1_f32..10.0) {
        let other = (one + by) % 20;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let values = (0..20 * 100).map(|_| normal(&mut rng)).collect();
        let mut layer = LayerWeights { name: String::new(), filters: 20, values, bias: Vec::new() };
        let copy: Vec<f32> = filter(&mut layer, one).iter().map(|value| value * scale).collect();
        filter(&mut layer, other).copy_from_slice(&copy);
        prop_assert_eq!(nearly_equal(&layer), vec![(one.min(other), one.max(other))]);
    }
}
