//! Gram matrices of minibatches.

/// The Gram matrices of a layer's features at one checkpoint: one for each minibatch of images.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gram {
    blocks: Vec<Block>,
}

/// The products of all images of a minibatch with all of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) images: usize,
    /// `[images, images]`, row by row.
    pub(super) values: Vec<f32>,
}

impl Block {
    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        f64::from(self.values[row * self.images + column])
    }
}

impl Gram {
    /// Of minibatches, each the products of all its images with all of them, row by row. Of a number of values that is
    /// no square, the missing ones are NaN.
    pub(crate) fn new(minibatches: impl IntoIterator<Item = Vec<f32>>) -> Self {
        let block = |mut values: Vec<f32>| {
            let root = values.len().isqrt();
            let images = root + usize::from(root * root < values.len());
            values.resize(images * images, f32::NAN);
            Block { images, values }
        };
        Self {
            blocks: minibatches.into_iter().map(block).collect(),
        }
    }

    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.blocks.iter().map(|block| block.images)
    }

    /// All products, minibatch by minibatch, row by row.
    pub(crate) fn values(&self) -> impl Iterator<Item = f32> {
        self.blocks
            .iter()
            .flat_map(|block| block.values.iter().copied())
    }

    /// The pairs of minibatches of the same images; `None` where they are not of the same images.
    pub(super) fn pairs<'a>(&'a self, other: &'a Self) -> Option<Vec<(&'a Block, &'a Block)>> {
        let same = self.sizes().eq(other.sizes());
        same.then(|| self.blocks.iter().zip(&other.blocks).collect())
    }

    /// Only these images of each minibatch.
    pub(super) fn part(&self, images: &[Vec<usize>]) -> Self {
        let part = |(block, images): (&Block, &Vec<usize>)| {
            let pairs = images
                .iter()
                .flat_map(|row| images.iter().map(move |column| (row, column)));
            Block {
                images: images.len(),
                values: pairs
                    .map(|(row, column)| block.values[row * block.images + column])
                    .collect(),
            }
        };
        Self {
            blocks: self.blocks.iter().zip(images).map(part).collect(),
        }
    }
}

/// The sizes of minibatches of at most `most` images, as equal as they can be, so that none is too small to
/// say anything.
pub(crate) fn minibatches(images: usize, most: usize) -> Vec<usize> {
    let count = images.div_ceil(most.max(1));
    (0..count)
        .map(|n| images * (n + 1) / count - images * n / count)
        .collect()
}
