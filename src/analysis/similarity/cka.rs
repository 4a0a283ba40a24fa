//! Debiased linear CKA.

use super::gram::{Block, Gram};

/// The mean HSIC over minibatches, over the root of the product of those of each with itself. The plug-in
/// estimator is not offered: for two unrelated representations it is near 1 where there are more features than
/// images.
pub(super) fn cka(one: &Gram, two: &Gram) -> Option<f64> {
    let (mut between, mut of_one, mut of_two) = (0.0, 0.0, 0.0);
    for (one, two) in one.pairs(two)? {
        // Without the factor that every minibatch of this size has; sizes differ by one at most.
        let pairs = pairs(one.images);
        let (one, two) = (centered(one)?, centered(two)?);
        between += product(&one, &two) / pairs;
        of_one += product(&one, &one) / pairs;
        of_two += product(&two, &two) / pairs;
    }
    let variance = of_one * of_two;
    (of_one > 0.0 && of_two > 0.0 && variance.is_finite()).then(|| between / variance.sqrt())
}

fn pairs(images: usize) -> f64 {
    images as f64 * (images as f64 - 3.0)
}

fn product(one: &[f64], two: &[f64]) -> f64 {
    one.iter().zip(two).map(|(a, b)| a * b).sum()
}

/// U-centering: rows and columns have the mean 0, the diagonal is 0. `None` for fewer than four images.
fn centered(block: &Block) -> Option<Vec<f64>> {
    let n = block.images;
    if n < 4 {
        return None;
    }
    let images = n as f64;
    let row_sum = |row| -> f64 {
        (0..n)
            .filter(|column| *column != row)
            .map(|column| block.at(row, column))
            .sum()
    };
    let mut means: Vec<f64> = (0..n).map(|row| row_sum(row) / (images - 2.0)).collect();
    let over_all = means.iter().sum::<f64>() / (2.0 * (images - 1.0));
    for mean in &mut means {
        *mean -= over_all;
    }
    let value = |at: usize| match (at / n, at % n) {
        (row, column) if row == column => 0.0,
        (row, column) => block.at(row, column) - means[row] - means[column],
    };
    Some((0..n * n).map(value).collect())
}
