//! Gram matrices of minibatches.

use nalgebra::DMatrix;

/// The Gram matrices of a layer's features at one checkpoint: one for each minibatch of images.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gram {
    blocks: Vec<Block>,
}

/// The products of all images of a minibatch with all of them; a column has those of one image.
pub(super) type Block = DMatrix<f32>;

/// Features whose variance over the images is a smaller part of their squares do not vary: single precision, in which the
/// products are, does not tell it from rounding.
const VARIES: f64 = 1e-5;

impl Gram {
    /// Of minibatches, each the products of all its images with all of them, image by image. Of a number of values that
    /// is no square, the missing ones are NaN.
    pub(crate) fn new(minibatches: impl IntoIterator<Item = Vec<f32>>) -> Self {
        let block = |mut values: Vec<f32>| {
            let root = values.len().isqrt();
            let images = root + usize::from(root * root < values.len());
            values.resize(images * images, f32::NAN);
            DMatrix::from_vec(images, images, values)
        };
        Self {
            blocks: minibatches.into_iter().map(block).collect(),
        }
    }

    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.blocks.iter().map(DMatrix::ncols)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = f32> {
        self.blocks.iter().flat_map(|block| block.iter().copied())
    }

    /// Whether the features differ from image to image by more than rounding, and are finite.
    fn varies(&self) -> bool {
        let (mut all_squares, mut centered) = (0.0, 0.0);
        for block in &self.blocks {
            let all = block.iter().copied().map(f64::from).sum::<f64>();
            let squares = block.diagonal().iter().copied().map(f64::from).sum::<f64>();
            all_squares += squares;
            // The squares of the differences from the mean over the images.
            centered += squares - all / block.ncols().max(1) as f64;
        }
        centered > VARIES * all_squares
    }

    /// Pairs of minibatches; `None` where they are not of the same images, or one of both does not tell these apart.
    pub(super) fn pairs<'a>(&'a self, other: &'a Self) -> Option<Vec<(&'a Block, &'a Block)>> {
        let same = self.sizes().eq(other.sizes()) && self.varies() && other.varies();
        same.then(|| self.blocks.iter().zip(&other.blocks).collect())
    }

    /// One batch of all images in minibatches of these sizes; what is in minibatches stays so.
    pub(crate) fn cut(self, sizes: &[usize]) -> Self {
        let [all] = &self.blocks[..] else {
            return self;
        };
        if sizes.iter().sum::<usize>() != all.ncols() {
            return self;
        }
        let mut from = 0;
        let block = |size: &usize| {
            from += size;
            let first = from - size;
            all.view((first, first), (*size, *size)).into_owned()
        };
        Self {
            blocks: sizes.iter().map(block).collect(),
        }
    }

    pub(super) fn part(&self, images: &[Vec<usize>]) -> Self {
        let part = |(block, images): (&Block, &Vec<usize>)| {
            block.select_rows(images).select_columns(images)
        };
        Self {
            blocks: self.blocks.iter().zip(images).map(part).collect(),
        }
    }
}

/// As equal as they can be, of at most `most` images, so that none is too small to say anything.
pub(crate) fn minibatches(images: usize, most: usize) -> Vec<usize> {
    let count = images.div_ceil(most.max(1));
    (0..count)
        .map(|n| images * (n + 1) / count - images * n / count)
        .collect()
}
