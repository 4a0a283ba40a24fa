use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::measures::{cka, mutual_neighbors, procrustes};
use super::*;

/// Features `[images, 10]` of `tests/fixtures/similarity/make.py`.
fn features(bytes: &[u8]) -> Vec<Vec<f32>> {
    let (values, _) = bytes.as_chunks::<4>();
    let values: Vec<f32> = values
        .iter()
        .map(|four| f32::from_le_bytes(*four))
        .collect();
    values.chunks(10).map(<[f32]>::to_vec).collect()
}

fn x() -> Vec<Vec<f32>> {
    features(include_bytes!("../../../tests/fixtures/similarity/x.f32"))
}

fn y() -> Vec<Vec<f32>> {
    features(include_bytes!("../../../tests/fixtures/similarity/y.f32"))
}

fn gram_of(images: &[Vec<f32>], sizes: &[usize]) -> Gram {
    let mut rest = images;
    let block = |size: &usize| {
        let (block, after) = rest.split_at(*size);
        rest = after;
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum();
        let values = block
            .iter()
            .flat_map(|a| block.iter().map(move |b| product(a, b)));
        values.collect()
    };
    Gram::new(sizes.iter().map(block))
}

fn gram(images: &[Vec<f32>]) -> Gram {
    gram_of(images, &[images.len()])
}

fn near(found: Option<f64>, expected: f64, by: f64) {
    let found = found.unwrap();
    assert!(
        (found - expected).abs() < by,
        "{found}, expected {expected}"
    );
}

/// The numbers that make.py prints; the first is published in Google's `representation_similarity` notebook.
// Verified: NumPy, SciPy | debiased CKA, Procrustes similarity, mutual nearest neighbors | 1e-6
#[test]
fn values_are_those_of_numpy_and_scipy() {
    let (one, two) = (gram(&x()), gram(&y()));
    near(cka(&one, &two), 0.513_456_49, 1e-6);
    near(procrustes(&one, &two), 0.736_255_31, 1e-6);
    near(mutual_neighbors(&one, &two), 0.279, 1e-9);
    let halves = [50, 50];
    let (one, two) = (gram_of(&x(), &halves), gram_of(&y(), &halves));
    near(cka(&one, &two), 0.530_843_95, 1e-6);
    near(procrustes(&one, &two), 0.754_692_10, 1e-6);
}

/// A rotation of the first two features, a scale, and another order of all.
#[test]
fn rotation_scale_and_order_of_features_do_not_matter() {
    let turned = |image: &Vec<f32>| {
        let (sin, cos) = 0.7_f32.sin_cos();
        let mut image: Vec<f32> = image.iter().map(|value| value * 3.0).collect();
        (image[0], image[1]) = (
            cos * image[0] - sin * image[1],
            sin * image[0] + cos * image[1],
        );
        image.reverse();
        image
    };
    let other: Vec<Vec<f32>> = x().iter().map(turned).collect();
    let (one, two) = (gram(&x()), gram(&other));
    for similar in [cka, procrustes, mutual_neighbors] {
        near(similar(&one, &one), 1.0, 1e-6);
        near(similar(&one, &two), 1.0, 1e-5);
    }
}

#[test]
fn unrelated_representations_have_zero_in_their_interval() {
    for seed in 0..5 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut shuffled = x();
        shuffled.shuffle(&mut rng);
        let similarity = Similarity::between(&gram(&x()), &gram(&shuffled));
        let Estimate { value, low, high } = similarity.cka.unwrap();
        assert!(
            low < 0.0 && 0.0 < high && low <= value && value <= high,
            "{similarity:?}"
        );
    }
}

/// Two unrelated networks over few images, where the plug-in estimator says 0.999.
#[test]
fn many_features_and_few_images_are_not_alike() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut random = || -> Vec<Vec<f32>> {
        let mut image = || (0..5000).map(|_| rng.random_range(-1.0..1.0)).collect();
        (0..16).map(|_| image()).collect()
    };
    let (one, two) = (gram(&random()), gram(&random()));
    assert!(cka(&one, &two).is_none_or(|cka| cka.abs() < 0.5));
}

/// The interval of 95% holds the value of many more images about as often.
#[test]
fn intervals_have_the_width_that_they_should() {
    let draw = |rng: &mut ChaCha8Rng, images: usize| {
        let mut normal = || {
            let sum: f32 = (0..12).map(|_| rng.random_range(0.0_f32..1.0)).sum();
            sum - 6.0
        };
        let mut pair = || {
            let x: Vec<f32> = (0..10).map(|_| normal()).collect();
            let y = x.iter().map(|x| x + normal()).collect();
            (x, y)
        };
        let (x, y): (Vec<Vec<f32>>, Vec<Vec<f32>>) = (0..images).map(|_| pair()).unzip();
        (gram(&x), gram(&y))
    };
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    // Of independent features with the variances 1 and 2 and the covariance 1.
    let truth = 0.5;
    let mut held = 0;
    for _ in 0..60 {
        let (one, two) = draw(&mut rng, 64);
        let Estimate { low, high, .. } = Similarity::between(&one, &two).cka.unwrap();
        held += u32::from(low <= truth && truth <= high);
    }
    assert!((50..=60).contains(&held), "{held} of 60");
}

#[test]
fn what_says_nothing_has_no_similarity() {
    let dead = Gram::new([vec![0.0; 400]]);
    let nan = Gram::new([vec![f32::NAN; 400]]);
    let short = Gram::new([vec![1.0; 362]]);
    let few = Gram::new([vec![1.0; 4]]);
    let fine = gram(&x()[..20]);
    for other in [&dead, &nan, &short, &few] {
        for (one, two) in [(other, &fine), (&fine, other), (other, other)] {
            let Similarity {
                cka,
                procrustes,
                neighbors,
            } = Similarity::between(one, two);
            assert_eq!((cka, procrustes, neighbors), (None, None, None));
        }
    }
    assert_eq!(cka(&fine, &gram(&x())), None, "other images");
}

/// Features that are the same for all images, but for rounding of their products; and none at all below them.
#[test]
fn features_that_do_not_vary_have_no_similarity() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let fine = gram(&x()[..20]);
    for (scale, noise) in [(3.7_f32, 0.0), (3.7e5, 1e-7), (1e-3, 3e-7), (3.7, 1e-6)] {
        let values = (0..400).map(|_| scale * (1.0 + noise * rng.random_range(-1.0..1.0)));
        let still = Gram::new([values.collect::<Vec<_>>()]);
        for (one, two) in [(&still, &fine), (&fine, &still), (&still, &still)] {
            let of = Similarity::between(one, two);
            assert_eq!((of.cka, of.procrustes, of.neighbors), (None, None, None));
        }
    }
    // A hundredth of the mean is more than rounding.
    let shifted = |image: &Vec<f32>| image.iter().map(|v| v * 0.01 + 1.0).collect();
    let shifted: Vec<Vec<f32>> = x().iter().map(shifted).collect();
    near(cka(&gram(&x()), &gram(&shifted)), 1.0, 1e-2);
}

/// What is in one batch is compared with what is in minibatches in those.
#[test]
fn one_batch_is_cut_into_minibatches() {
    let halves = [60, 40];
    let whole = gram(&x()).cut(&halves);
    assert_eq!(whole, gram_of(&x(), &halves));
    assert_eq!(whole.clone().cut(&[100]), whole);
    assert_eq!(gram(&x()).cut(&[50, 40]), gram(&x()));
}

#[test]
fn no_interval_goes_beyond_1() {
    let near_x = |seed| -> Vec<Vec<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut near = |v: &f32| v + rng.random_range(-0.05..0.05);
        x().iter()
            .map(|image| image.iter().map(&mut near).collect())
            .collect()
    };
    for seed in 0..5 {
        let all = Similarity::between(&gram(&x()), &gram(&near_x(seed)));
        for Estimate { value, low, high } in
            [all.cka, all.procrustes, all.neighbors].map(Option::unwrap)
        {
            assert!(low <= value && value <= high && high <= 1.0, "{all:?}");
        }
    }
}

#[test]
fn minibatches_are_nearly_equal() {
    assert_eq!(minibatches(64, 64), [64]);
    assert_eq!(minibatches(65, 64), [32, 33]);
    assert_eq!(minibatches(256, 64), [64; 4]);
    assert!(minibatches(0, 64).is_empty());
    for images in 16..600 {
        let sizes = minibatches(images, 64);
        assert_eq!(sizes.iter().sum::<usize>(), images);
        assert!(
            sizes.iter().all(|size| (16..=64).contains(size)),
            "{images}"
        );
    }
}
