//! A layer's numbers against `numpy`'s.

#![expect(clippy::float_cmp, reason = "counts, and values that are copied")]

use std::fs;

use proptest::prelude::*;

use super::{cases, fixture, render};
use crate::{Layout, Maps, Statistics, Style, feature_maps};

fn close(found: f64, expected: f64, scale: f64) -> bool {
    (found - expected).abs() <= 1e-6 * scale
}

// Verified: NumPy | minimum, maximum, mean, standard deviation, zeros of a layer | counts, minimum and maximum equal; 1e-6 of the largest value
#[test]
fn every_number_is_numpys_whatever_is_shown() {
    let text = fs::read_to_string(fixture("statistics.txt")).unwrap();
    let mut seen = 0;
    for case in cases().iter().filter(|case| case.kind == "maps") {
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(&case.name));
        let numbers: Vec<f64> = line
            .unwrap()
            .split(' ')
            .skip(1)
            .map(|word| word.parse().unwrap())
            .collect();
        let [count, zeros, min, max, mean, std] = numbers[..] else {
            panic!("{line:?}");
        };
        let [channels, _, height, width] = case.shape;
        let one = Style {
            max_maps: Some(1),
            ..case.style
        };
        for (layout, style) in [
            (Layout::Planar, &case.style),
            (Layout::Interleaved, &case.style),
            (Layout::Planar, &one),
            (Layout::Interleaved, &one),
        ] {
            let found = render(&case.values, [channels, height, width], layout, style).statistics;
            let name = &case.name;
            let counts = [found.count as f64, found.zero_fraction() * count];
            assert_eq!(counts, [count, zeros], "{name}");
            assert_eq!([found.min, found.max].map(f64::from), [min, max], "{name}");
            let scale = max.abs().max(min.abs());
            assert!(
                close(found.mean, mean, scale),
                "{name}: {} {mean}",
                found.mean
            );
            assert!(
                close(found.std(), std, scale),
                "{name}: {} {std}",
                found.std()
            );
            assert_eq!((found.nan, found.infinite), (0, 0));
        }
        seen += 1;
    }
    assert_eq!(seen, 16);
}

/// A mean that is large beside the spread, which sums of squares lose.
#[test]
fn a_small_spread_about_a_large_mean_is_kept() {
    let values: Vec<f32> = (0..20_000_u16).map(|i| 1e6 + f32::from(i % 2)).collect();
    let maps = Maps::new(&values, [2, 100, 100], Layout::Planar).unwrap();
    let found = feature_maps(&maps, &Style::default()).unwrap().statistics;
    assert!((found.std() - 0.5).abs() < 1e-6, "{}", found.std());
    assert!((found.mean - 1_000_000.5).abs() < 1e-6, "{}", found.mean);
}

proptest! {
    /// Values that are not finite are counted and left out, wherever they are.
    #[test]
    fn what_is_not_finite_is_counted_and_left_out(
        values in prop::collection::vec(prop_oneof![
            8 => -1e3_f32..1e3,
            1 => Just(0.0),
            1 => Just(f32::NAN),
            1 => Just(f32::INFINITY),
            1 => Just(f32::NEG_INFINITY),
            1 => Just(f32::MAX),
        ], 1..3000)
    ) {
        let maps = Maps::new(&values, [1, values.len(), 1], Layout::Planar).unwrap();
        let found = feature_maps(&maps, &Style::default()).unwrap().statistics;
        let finite: Vec<f64> = values.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect();
        let count = |of: fn(&f32) -> bool| values.iter().filter(|value| of(value)).count() as u64;
        prop_assert_eq!(found.count, finite.len() as u64);
        prop_assert_eq!(found.nan, count(|v| v.is_nan()));
        prop_assert_eq!(found.infinite, count(|v| v.is_infinite()));
        prop_assert_eq!(found.zeros, count(|v| *v == 0.0));
        if !finite.is_empty() {
            let n = finite.len() as f64;
            let mean = finite.iter().sum::<f64>() / n;
            let std = (finite.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let scale = finite.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            prop_assert!(close(found.mean, mean, scale), "{} {}", found.mean, mean);
            prop_assert!(close(found.std(), std, scale), "{} {}", found.std(), std);
        }
    }

    /// In parts or as a whole, in any order.
    #[test]
    fn parts_make_the_whole(values in prop::collection::vec(-1e3_f32..1e3, 2..600), at in 0..600_usize) {
        let of = |values: &[f32]| {
            let maps = Maps::new(&values, [1, values.len(), 1], Layout::Planar).unwrap();
            feature_maps(&maps, &Style::default()).unwrap().statistics
        };
        let middle = 1 + at % (values.len() - 1);
        let (left, right) = values.split_at(middle);
        let whole = of(&values);
        for parts in [of(left).merged(of(right)), of(right).merged(of(left))] {
            let same = |s: Statistics| (s.count, s.zeros, s.min.to_bits(), s.max.to_bits());
            prop_assert_eq!(same(parts), same(whole));
            prop_assert!(close(parts.mean, whole.mean, 1e3) && close(parts.std(), whole.std(), 1e3));
        }
    }
}

/// What the mean of many equal values, and few others, is rounded to.
#[test]
fn many_zeros_do_not_shift_the_mean() {
    let value = |i: usize| if i.is_multiple_of(5) { 1.467_193 } else { 0.0 };
    let values: Vec<f32> = (0..5 * 56 * 56).map(value).collect();
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64;
    for layout in [Layout::Planar, Layout::Interleaved] {
        let found = render(&values, [5, 56, 56], layout, &Style::default()).statistics;
        assert!(
            (found.mean - mean).abs() < 2e-7 * mean,
            "{} {mean}",
            found.mean
        );
    }
}
