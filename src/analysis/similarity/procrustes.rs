//! The similarity of two representations after the best rotation.

use nalgebra::DMatrix;

use super::gram::{Block, Gram};

/// The trace of the root of `K^1/2 L K^1/2` over the root of the product of the traces, for centered Gram matrices;
/// the mean over minibatches, weighted by their images.
pub(super) fn procrustes(one: &Gram, two: &Gram) -> Option<f64> {
    let (mut sum, mut images) = (0.0, 0.0);
    for (one, two) in one.pairs(two)? {
        let weight = one.images as f64;
        sum += weight * of_minibatch(one, two)?;
        images += weight;
    }
    (images > 0.0).then(|| sum / images)
}

fn of_minibatch(one: &Block, two: &Block) -> Option<f64> {
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
    Some(
        values
            .iter()
            .map(|value| value.max(0.0).sqrt())
            .sum::<f64>()
            / scale,
    )
}

/// Rows and columns have the mean 0. `None` where a value is not finite, which has no eigenvalues.
fn centered(block: &Block) -> Option<DMatrix<f64>> {
    let n = block.images;
    let matrix = DMatrix::from_fn(n, n, |row, column| block.at(row, column));
    let means = matrix.row_mean();
    let over_all = means.mean();
    over_all.is_finite().then(|| {
        DMatrix::from_fn(n, n, |row, column| {
            matrix[(row, column)] - means[row] - means[column] + over_all
        })
    })
}
