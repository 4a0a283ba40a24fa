#![allow(
    clippy::float_cmp,
    reason = "the values are copies or counts, equal to the bit"
)]

use super::HISTOGRAMS;
use crate::histogram::Histogram;
use crate::read::{Content, EventReader};
use crate::summary::Value;

/// Numerical Recipes' generator, as in `make_training_fixtures.py`.
fn words(count: usize, seed: u32) -> impl Iterator<Item = u32> {
    let next = |word: &u32| Some(word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(seed), next).skip(1).take(count)
}

/// 24 bits, which a float holds.
fn unit(count: usize, seed: u32) -> Vec<f32> {
    words(count, seed)
        .map(|word| (word >> 8) as f32 * 2_f32.powi(-24))
        .collect()
}

fn bell() -> Vec<f32> {
    let parts = [5, 6, 7].map(|seed| unit(200_000, seed));
    (0..200_000)
        .map(|at| parts[0][at] + parts[1][at] + parts[2][at] - 1.5)
        .collect()
}

/// As `cases` in `make_training_fixtures.py`.
fn cases() -> Vec<(String, usize, Vec<f32>)> {
    let bits = words(3000, 1).map(f32::from_bits).collect();
    let tiny = unit(1000, 3).into_iter().map(|value| value * 1e-38);
    let mut cases = vec![
        ("any_bits".to_owned(), 30, bits),
        ("unit".to_owned(), 30, unit(1000, 2)),
        ("denormal".to_owned(), 30, tiny.collect()),
    ];
    for buckets in [1, 7, 10, 30, 100] {
        let below_11 = |word: u32| f32::from(u8::try_from(word % 11).unwrap());
        let values = words(500, 4).map(below_11).collect();
        cases.push((format!("integers_{buckets}"), buckets, values));
    }
    let integers = (-3_i16..26).map(f32::from).collect();
    cases.push(("edges".to_owned(), 100, integers));
    let positive = bell().into_iter().map(|value| value.max(0.0)).collect();
    cases.extend([
        ("bell".to_owned(), 30, bell()),
        ("bell_without_negatives".to_owned(), 30, positive),
        ("one_value".to_owned(), 30, vec![-1.5; 100]),
        ("empty".to_owned(), 30, Vec::new()),
        ("no_buckets".to_owned(), 0, unit(10, 8)),
    ]);
    cases
}

/// Edges and counts to the last bit, and in the order of values too.
// Verified: TensorBoard 2.21 | histograms: edges and counts | to the bit
#[test]
fn histograms_are_tensorboards() {
    let events = EventReader::new(HISTOGRAMS, "histograms.tfevents");
    let expected: Vec<_> = events.map(|event| event.unwrap().content).collect();
    let cases = cases();
    assert_eq!(expected.len(), 1 + cases.len());
    for ((name, buckets, values), expected) in cases.into_iter().zip(&expected[1..]) {
        let Content::Summaries(summaries) = expected else {
            panic!("{expected:?}");
        };
        assert_eq!(summaries[0].tag, name);
        let Some(Value::Histogram(expected)) = &summaries[0].value else {
            panic!("{name}: {summaries:?}");
        };
        let found = Histogram::of(&values, buckets);
        assert_eq!(found.bucket_limits, expected.bucket_limits, "{name}");
        assert_eq!(found.bucket_counts, expected.bucket_counts, "{name}");
        if buckets > 0 {
            let extent = [expected.min, expected.max, expected.num];
            assert_eq!([found.min, found.max, found.num], extent, "{name}");
        }
        let reversed: Vec<f32> = values.iter().rev().copied().collect();
        let mut reversed = Histogram::of(&reversed, buckets);
        // Sums are rounded in the order of the values.
        assert!((reversed.sum - found.sum).abs() <= 1e-9 * found.num * found.max.max(-found.min));
        assert!((reversed.sum_squares - found.sum_squares).abs() <= 1e-9 * found.sum_squares);
        (reversed.sum, reversed.sum_squares) = (found.sum, found.sum_squares);
        assert_eq!(reversed, found, "{name}");
    }
}

#[test]
fn a_histogram_has_the_sums_of_its_values() {
    for lots in [1, 20_000] {
        let values = [0.5, -0.25, 3.0, f32::NAN, 1.0].repeat(lots);
        let found = Histogram::of(&values, 2);
        let times = f64::from(u32::try_from(lots).unwrap());
        let expected = [-0.25, 3.0, 4.0 * times, 4.25 * times, 10.3125 * times];
        let of = [
            found.min,
            found.max,
            found.num,
            found.sum,
            found.sum_squares,
        ];
        assert_eq!(of, expected);
        assert_eq!(found.bucket_limits, [1.375, 3.0]);
        assert_eq!(found.bucket_counts, [3.0 * times, times]);
    }
}

#[test]
fn values_that_are_not_finite_are_counted_apart() {
    let mut values = unit(70_001, 9);
    let expected = Histogram::of(&values, Histogram::BUCKETS);
    assert_eq!(expected.non_finite, 0);
    for at in [0, 1, 17, 40_000, 65_535, 65_536, 70_004, 70_007] {
        let strange = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        values.insert(at.min(values.len()), strange[at % 3]);
    }
    let found = Histogram::of(&values, Histogram::BUCKETS);
    assert_eq!(found.bucket_limits, expected.bucket_limits);
    assert_eq!(found.bucket_counts, expected.bucket_counts);
    assert_eq!(found.non_finite, 8);

    let found = Histogram::of(&[f32::NAN, f32::INFINITY], 2);
    assert_eq!(found.bucket_limits, [0.0; 2]);
    assert_eq!(found.bucket_counts, [0.0; 2]);
    assert_eq!(found.non_finite, 2);
    assert_eq!(Histogram::of(&[f32::NAN, 1.0], 0).non_finite, 1);
}

#[test]
fn every_value_is_in_a_bucket() {
    let edge = [f32::MIN, f32::MAX, -0.0, 0.0, f32::MIN_POSITIVE];
    for buckets in [1, 2, 3, 1000] {
        let found = Histogram::of(&edge, buckets);
        let count: f64 = found.bucket_counts.iter().sum();
        assert_eq!(count.to_bits(), 5_f64.to_bits());
        assert_eq!(found.num.to_bits(), count.to_bits());
        assert_eq!(found.bucket_limits.len(), buckets);
        for (edge, value) in [found.min, found.max].into_iter().zip([f32::MIN, f32::MAX]) {
            assert_eq!(edge.to_bits(), f64::from(value).to_bits());
        }
        let last = found.bucket_limits[buckets - 1];
        assert_eq!(last.to_bits(), found.max.to_bits());
    }
}
