//! Debiased linear CKA, the Procrustes similarity and mutual nearest neighbors.

use nalgebra::DMatrix;

use super::gram::{Block, Gram};

/// Neighbors that are looked at: a tenth of the minibatch, but not fewer than this.
const FEWEST: usize = 5;

/// The mean HSIC over minibatches, over the root of the product of those of each with itself. The plug-in
/// estimator is not offered: for two unrelated representations it is near 1 where there are more features than
/// images.
pub(super) fn cka(one: &Gram, two: &Gram) -> Option<f64> {
    let (mut between, mut of_one, mut of_two) = (0.0, 0.0, 0.0);
    for (one, two) in one.pairs(two)? {
        // Without the factor that every minibatch of this size has; sizes differ by one at most.
        let images = one.ncols() as f64;
        let pairs = images * (images - 3.0);
        let (one, two) = (u_centered(one)?, u_centered(two)?);
        between += product(&one, &two) / pairs;
        of_one += product(&one, &one) / pairs;
        of_two += product(&two, &two) / pairs;
    }
    let variance = of_one * of_two;
    (of_one > 0.0 && of_two > 0.0 && variance.is_finite()).then(|| between / variance.sqrt())
}

fn product(one: &DMatrix<f64>, two: &DMatrix<f64>) -> f64 {
    one.iter().zip(two).map(|(a, b)| a * b).sum()
}

/// Rows and columns have the mean 0, the diagonal is 0. `None` for fewer than four images.
fn u_centered(block: &Block) -> Option<DMatrix<f64>> {
    let images = block.ncols() as f64;
    if images < 4.0 {
        return None;
    }
    let mut centered = block.map(f64::from);
    centered.fill_diagonal(0.0);
    let sums = centered.column_iter().map(|of| of.iter().sum::<f64>());
    let mut means: Vec<f64> = sums.map(|sum| sum / (images - 2.0)).collect();
    let over_all = means.iter().sum::<f64>() / (2.0 * (images - 1.0));
    for mean in &mut means {
        *mean -= over_all;
    }
    for (mut column, mean) in centered.column_iter_mut().zip(&means) {
        for (value, of_row) in column.iter_mut().zip(&means) {
            *value = *value - mean - of_row;
        }
    }
    centered.fill_diagonal(0.0);
    Some(centered)
}

/// The trace of the root of `K^1/2 L K^1/2` over the root of the product of the traces, for centered Gram matrices;
/// the mean over minibatches, weighted by their images.
pub(super) fn procrustes(one: &Gram, two: &Gram) -> Option<f64> {
    let (mut sum, mut images) = (0.0, 0.0);
    for (one, two) in one.pairs(two)? {
        let weight = one.ncols() as f64;
        sum += weight * procrustes_of_minibatch(one, two)?;
        images += weight;
    }
    (images > 0.0).then(|| sum / images)
}

fn procrustes_of_minibatch(one: &Block, two: &Block) -> Option<f64> {
    let (one, two) = (centered(one)?, centered(two)?);
    let scale = (one.trace() * two.trace()).sqrt();
    if scale.is_nan() || scale <= 0.0 {
        return None;
    }
    let eigen = one.symmetric_eigen();
    let roots = eigen.eigenvalues.map(|value| value.max(0.0).sqrt());
    let root =
        &eigen.eigenvectors * DMatrix::from_diagonal(&roots) * eigen.eigenvectors.transpose();
    let values = (&root * two * &root).symmetric_eigenvalues();
    let roots = values.iter().map(|value| value.max(0.0).sqrt());
    Some(roots.sum::<f64>() / scale)
}

/// Rows and columns have the mean 0. `None` where a value is not finite, which has no eigenvalues.
fn centered(block: &Block) -> Option<DMatrix<f64>> {
    let matrix = block.transpose().map(f64::from);
    let means = matrix.row_mean();
    let over_all = means.mean();
    over_all.is_finite().then(|| {
        DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |row, column| {
            matrix[(row, column)] - means[row] - means[column] + over_all
        })
    })
}

/// The mean fraction of an image's nearest images, by cosine, that both have.
pub(super) fn mutual_neighbors(one: &Gram, two: &Gram) -> Option<f64> {
    let (mut shared, mut all) = (0, 0);
    for (one, two) in one.pairs(two)? {
        let count = (one.ncols() / 10).max(FEWEST);
        if one.ncols() <= count + 1 {
            return None;
        }
        for (of_one, of_two) in nearest(one, count)?.iter().zip(nearest(two, count)?) {
            shared += of_one.iter().filter(|image| of_two.contains(image)).count();
            all += count;
        }
    }
    (all > 0).then(|| shared as f64 / all as f64)
}

/// The nearest images of every image. `None` where an image has no direction.
fn nearest(block: &Block, count: usize) -> Option<Vec<Vec<usize>>> {
    let squares = block.diagonal();
    let norms = squares.iter().map(|square| f64::from(*square).sqrt());
    let norms: Vec<f64> = norms.collect();
    if !norms.iter().all(|norm| *norm > 0.0 && norm.is_finite()) {
        return None;
    }
    let of_image = |image: usize| {
        let cosine = |other: usize| f64::from(block[(other, image)]) / norms[image] / norms[other];
        let others = (0..block.ncols()).filter(|other| *other != image);
        let mut others: Vec<(f64, usize)> = others.map(|other| (cosine(other), other)).collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0));
        let nearest = others.into_iter().take(count);
        nearest.map(|(_, other)| other).collect()
    };
    Some((0..block.ncols()).map(of_image).collect())
}
