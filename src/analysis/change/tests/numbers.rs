//! Numbers of one layer.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::super::layer::nearly_equal;
use super::super::{LayerChange, LayerWeights};
use super::{filter, normal};

/// `NumPy`: `old = np.arange(1, 13).reshape(2, 6)`, `new = old * [[2], [-1]] + 1`.
// Verified: NumPy | cosine, relative change and norm of a layer's weights | 1e-6
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
