//! What a run keeps of its summary.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::super::Summary;
use super::{add_noise, filter, found, network};

/// As the state of a run keeps each step, and the checkpoint of a training all steps before it; NaN included.
#[test]
fn what_was_kept_is_what_was_found() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut networks = vec![network(&mut rng)];
    let (mut whole, mut kept) = (Summary::default(), Summary::default());
    for step in 1..10_usize {
        let mut next = networks.last().unwrap().clone();
        add_noise(&mut rng, &mut next, 0.01);
        match step {
            3 => filter(&mut next[1], 5).fill(0.0),
            7 => filter(&mut next[3], 2).fill(f32::NAN),
            _ => {}
        }
        networks.push(next);
        let is_dead = [(1, step >= 2), (2, step >= 8), (3, step < 6), (4, true)];
        let dead = is_dead.into_iter().filter(|(_, is_dead)| *is_dead);
        let dead: Vec<usize> = dead.map(|(channel, _)| channel).collect();
        let found = found(&networks, &dead);
        let written = toml::to_string(&found).unwrap();
        kept.add(toml::from_str(&written).unwrap());
        if step == 5 {
            kept = toml::from_str(&toml::to_string(&kept).unwrap()).unwrap();
        }
        whole.add(found);
    }
    let text = whole.lines().join("\n");
    for part in [
        "zeroed: filter 5 of conv2_1 at step 3",
        "relu1_1, 3 of 8 channels (first: 1, since step 2)",
        "432 weights of conv4_1 (from step 7 on)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(kept.lines(), whole.lines());
    assert_eq!(kept.json(), whole.json());
}
