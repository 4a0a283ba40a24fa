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

/// Features whose variance over the images is a smaller part of their squares do not vary: single precision, in which the
/// products are, does not tell it from rounding.
const VARIES: f64 = 1e-5;

impl Block {
    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        f64::from(self.values[row * self.images + column])
    }

    /// The sum of the squares of all features, and that of their differences from the mean over the images.
    fn squares(&self) -> [f64; 2] {
        let all = self.values.iter().copied().map(f64::from).sum::<f64>();
        let squares: f64 = (0..self.images).map(|image| self.at(image, image)).sum();
        let images = self.images.max(1) as f64;
        [squares, squares - all / images]
    }

    /// Of the images from one on, so many.
    fn part(&self, from: usize, images: usize) -> Self {
        let rows = (from..from + images).map(|row| row * self.images + from);
        Self {
            images,
            values: rows
                .flat_map(|at| self.values[at..at + images].to_vec())
                .collect(),
        }
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

    /// Whether the features differ from image to image by more than rounding, and are finite.
    fn varies(&self) -> bool {
        let sum = |[a, b]: [f64; 2], [c, d]: [f64; 2]| [a + c, b + d];
        let [squares, centered] = self.blocks.iter().map(Block::squares).fold([0.0; 2], sum);
        centered > VARIES * squares
    }

    /// The pairs of minibatches of the same images; `None` where they are not of the same images, or where one of both
    /// does not tell them apart.
    pub(super) fn pairs<'a>(&'a self, other: &'a Self) -> Option<Vec<(&'a Block, &'a Block)>> {
        let same = self.sizes().eq(other.sizes()) && self.varies() && other.varies();
        same.then(|| self.blocks.iter().zip(&other.blocks).collect())
    }

    /// One batch of all images in minibatches of these sizes; what is in minibatches stays so.
    pub(crate) fn cut(self, sizes: &[usize]) -> Self {
        let [all] = &self.blocks[..] else {
            return self;
        };
        let mut from = 0;
        let block = |size: &usize| {
            from += size;
            all.part(from - size, *size)
        };
        let fits = sizes.iter().sum::<usize>() == all.images;
        let blocks = fits.then(|| sizes.iter().map(block).collect());
        Self {
            blocks: blocks.unwrap_or_else(|| self.blocks.clone()),
        }
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
