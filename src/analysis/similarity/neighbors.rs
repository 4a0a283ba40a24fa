//! Which images are nearest to each other.

use super::gram::{Block, Gram};

/// Neighbors that are looked at: a tenth of the minibatch, but not fewer than this.
const FEWEST: usize = 5;

/// The mean fraction of an image's nearest images, by cosine, that both have.
pub(super) fn mutual_neighbors(one: &Gram, two: &Gram) -> Option<f64> {
    let (mut shared, mut all) = (0, 0);
    for (one, two) in one.pairs(two)? {
        let count = (one.images / 10).max(FEWEST);
        if one.images <= count + 1 {
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
    let norms: Vec<f64> = (0..block.images)
        .map(|image| block.at(image, image).sqrt())
        .collect();
    if !norms.iter().all(|norm| *norm > 0.0 && norm.is_finite()) {
        return None;
    }
    let of_image = |image: usize| {
        let cosine = |other: usize| block.at(image, other) / norms[image] / norms[other];
        let others = (0..block.images).filter(|other| *other != image);
        let mut others: Vec<(f64, usize)> = others.map(|other| (cosine(other), other)).collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0));
        others
            .into_iter()
            .take(count)
            .map(|(_, other)| other)
            .collect()
    };
    Some((0..block.images).map(of_image).collect())
}
