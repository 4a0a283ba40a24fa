mod filters;
mod kept;
mod numbers;

use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

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

fn changes(old: &[LayerWeights], new: &[LayerWeights]) -> Vec<LayerChange> {
    let pairs = old.iter().zip(new);
    pairs
        .map(|(old, new)| LayerChange::between(old, new))
        .collect()
}

/// What is found at a step of networks, of which all up to it are given; `dead` of the 8 channels of `relu1_1`.
fn found(networks: &[Vec<LayerWeights>], dead: &[usize]) -> Found {
    let (now, earlier) = networks.split_last().unwrap();
    let from = |old: Option<&Vec<LayerWeights>>| old.map_or(Vec::new(), |old| changes(old, now));
    let (previous, first) = (from(earlier.last()), from(earlier.first()));
    let non_finite = now
        .iter()
        .map(|layer| (layer.name.clone(), layer.non_finite()));
    let non_finite = non_finite.filter(|(_, count)| *count > 0).collect();
    let step = i64::try_from(earlier.len()).unwrap();
    let inactive = Inactive {
        channels: dead.to_vec(),
        of: 8,
    };
    let activations = Activations {
        images: ImageCount {
            probe: 1,
            comparison: 64,
        },
        inactive: BTreeMap::from([("01_relu1_1".to_owned(), inactive)]),
        ..Activations::default()
    };
    Found {
        activations,
        ..Found::new(step, [&previous, &first, &[]], non_finite)
    }
}

/// What is said of twelve networks, the first of which has the number 1; `edit` changes that of each step after its noise.
fn summary(seed: u64, noise: f32, edit: impl Fn(i64, &mut Vec<LayerWeights>)) -> Summary {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut now = network(&mut rng);
    let mut summary = Summary::default();
    let mut networks = Vec::new();
    for step in 1..=12 {
        add_noise(&mut rng, &mut now, noise);
        edit(step, &mut now);
        networks.push(now.clone());
        let mut found = found(&networks, &[]);
        found.step += 1;
        for event in &mut found.filters {
            event.step += 1;
        }
        summary.add(found);
    }
    summary
}

fn lines(seed: u64, noise: f32, edit: impl Fn(i64, &mut Vec<LayerWeights>)) -> Vec<String> {
    summary(seed, noise, edit).lines()
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
        assert!(lines.len() <= 5, "{text}");
        assert!(
            lines[0].starts_with("changed most from step 1 to step 12: conv3_1 "),
            "{text}"
        );
        let named = text
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with("weights unchanged"));
        let events: usize = named.map(|line| line.matches(" at step ").count()).sum();
        let zeroed = usize::from(text.contains("conv4_1 at step 6: by"));
        let turned = usize::from(text.contains("conv1_1 at step 6: by"));
        assert_eq!(events, 3 + zeroed + turned, "{text}");
    }
}

#[test]
fn other_things_that_happen_are_named_too() {
    let halved = lines(5, 0.005, |step, network| {
        if step == 9 {
            network[1].values.iter_mut().for_each(|value| *value *= 0.5);
        }
    });
    assert!(halved[0].contains(": conv2_1 x 0.50, "), "{halved:?}");
    assert!(
        halved[1].contains("conv2_1 at step 9: x 0.50"),
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
            .contains("NaN or infinite: 1 weight of conv4_1 (from step 10 on)"),
        "{nan:?}"
    );
    assert!(!nan.join("\n").contains("only biases"), "{nan:?}");
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
        assert!(
            even[0].starts_with("changed most from step 1 to step 12: "),
            "{even:?}"
        );
    }
    let biases = lines(11, 0.0, |step, network| {
        if step == 5 {
            network[0].bias[3] = 1.0;
        }
    });
    assert_eq!(
        biases[0],
        "no weights of convolutions and linear layers changed, only biases or batch normalization"
    );
}

/// Large steps at the beginning, smaller ones later, as a training takes them.
#[test]
fn a_training_is_no_event() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut networks = vec![network(&mut rng)];
    let mut summary = Summary::default();
    for step in 0..100 {
        let mut next = networks.last().unwrap().clone();
        add_noise(&mut rng, &mut next, 0.5 * 0.9_f32.powi(step));
        networks.push(next);
        summary.add(found(&networks, &[]));
    }
    let lines = summary.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

/// At a high learning rate a few filters of each step go far; what goes farther than these do is an event.
#[test]
fn filters_stand_out_from_what_those_of_their_layer_do() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let mut networks = vec![network(&mut rng)];
    let mut summary = Summary::default();
    for step in 1..40_usize {
        let mut next = networks.last().unwrap().clone();
        let noise = if step < 20 { 0.02 } else { 0.002 };
        add_noise(&mut rng, &mut next, noise);
        for layer in &mut next {
            let each = layer.values.len() / layer.filters;
            let far = (step * 5 % layer.filters) * each;
            for value in &mut layer.values[far..far + each] {
                *value += noise * normal(&mut rng);
            }
        }
        if step == 30 {
            rotate(filter(&mut next[0], 12));
        }
        networks.push(next);
        summary.add(found(&networks, &[]));
    }
    let lines = summary.lines();
    let turned = lines
        .iter()
        .find(|line| line.starts_with("direction changed"));
    let expected =
        "direction changed: kernel 12 of conv1_1 at step 30 (cosine to the step before: ";
    assert!(
        turned.is_some_and(|line| line.starts_with(expected) && !line.contains(';')),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("filters changed")),
        "{lines:?}"
    );
}

/// Each at a time: all layers scaled, a layer frozen, one NaN and finite again, one back where it was.
#[test]
fn what_happens_to_layers_is_named() {
    let all = lines(20, 0.005, |step, network| {
        if step == 6 {
            let values = network.iter_mut().flat_map(|layer| &mut layer.values);
            values.for_each(|value| *value *= 2.0);
        }
    });
    // There are four layers: each is named.
    let text = "stands out from its own trend: conv1_1 at step 6: x 2.00; ";
    assert!(
        all[1].starts_with(text) || all[1].matches("at step 6: x 2.00").count() == 4,
        "{all:?}"
    );
    let frozen = summary(21, 0.0, |step, network| {
        let mut rng = ChaCha8Rng::seed_from_u64(u64::try_from(step).unwrap());
        add_noise(&mut rng, &mut network[..1], 0.01);
        add_noise(&mut rng, &mut network[2..], 0.01);
        if step < 5 {
            add_noise(&mut rng, &mut network[2..3], 0.01);
        }
    });
    assert_eq!(frozen.lines()[1], "weights unchanged: conv2_1");
    let paused = lines(22, 0.0, |step, network| {
        let mut rng = ChaCha8Rng::seed_from_u64(u64::try_from(step).unwrap());
        add_noise(&mut rng, &mut network[..2], 0.01);
        if step <= 5 {
            add_noise(&mut rng, &mut network[2..], 0.01);
        }
    });
    assert_eq!(
        paused[1],
        "weights unchanged: conv3_1 since step 5; conv4_1 since step 5"
    );
    let nan = summary(23, 0.005, |step, network| {
        // What was NaN is replaced, as a training that is resumed from an earlier checkpoint has it.
        let value = if step == 5 { f32::NAN } else { 0.1 };
        network[2].values.fill(value);
    });
    let text = nan.lines().join("\n");
    let expected = "NaN or infinite: 13824 weights of conv3_1 (step 5, finite again at step 6)";
    assert!(text.contains(expected), "{text}");
    let json = nan.json();
    let layer = &json["layers"][3];
    assert_eq!(
        (&layer["layer"], &layer["nan"]),
        (&"conv3_1".into(), &1.into())
    );
    assert_eq!(
        layer["changes"][3],
        serde_json::json!({"step": 5, "change": null})
    );
    let back = lines(24, 0.0, |step, network| {
        network[1].values[0] = if step == 5 { 9.0 } else { 0.1 };
    });
    assert_eq!(
        back[0],
        "the weights of steps 1 and 12 are equal, but not those between them"
    );
}

/// The weights of other layers, which are known of the first step and the last one only.
#[test]
fn layers_that_are_not_followed_are_among_those_that_changed_most() {
    let mut all = summary(25, 0.005, |_, _| ());
    let classifier = Change {
        relative: 0.5,
        cosine: 0.9,
        factor: 1.0,
    };
    all.add_rest([("classifier.0".to_owned(), classifier)]);
    let line = &all.lines()[0];
    assert!(line.contains("step 12: classifier.0 by 50%, "), "{line}");
    assert!(line.contains("median of 5 layers"), "{line}");
}

#[test]
fn dead_channels_are_named_first_where_they_are_many() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut networks = vec![network(&mut rng)];
    let (mut summary, mut few) = (Summary::default(), Summary::default());
    for step in 0..6 {
        let mut next = networks.last().unwrap().clone();
        add_noise(&mut rng, &mut next, 0.01);
        networks.push(next);
        // 1 was never alive, 2 and 0 come back, 3 dies.
        let dead: &[usize] = match step {
            0..2 => &[1],
            2 => &[0, 1, 2],
            _ => &[1, 3],
        };
        let found = found(&networks, dead);
        summary.add(found.clone());
        let mut with_few = found;
        with_few.activations.images.comparison = 0;
        few.add(with_few);
    }
    let lines = summary.lines();
    assert_eq!(
        lines[0],
        "dead (never above 0 on 65 images) at step 6: relu1_1, 2 of 8 channels (first: 1)"
    );
    let text = lines.join("\n");
    let expected = "dead for a while: relu1_1, channels 0, 2 (step 3)";
    assert!(text.contains(expected), "{text}");
    let text = few.lines().join("\n");
    let expected = "not active on your 1 probe image (too few to call dead: --compare-images) at step 6: relu1_1, channel 3, since step 4";
    assert!(text.ends_with(expected), "{text}");
    assert!(!text.contains("dead ("), "{text}");
    let [json, of_few] = [summary, few].map(|summary| summary.json()["layers"][0].clone());
    assert_eq!(
        (&json["dead"], &json["inactive"]),
        (&0.25.into(), &0.25.into())
    );
    assert_eq!(
        (&of_few["dead"], &of_few["inactive"]),
        (&serde_json::Value::Null, &0.25.into())
    );
}
