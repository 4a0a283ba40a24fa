//! One tensor of a file, not read yet. Counts are in elements.

use std::collections::HashMap;
use std::io;

use super::dtype::{DType, decode};
use super::location::{Location, invalid};

/// Largest tensor that is read, in elements (2 GiB as `f32`; VGG's largest has a fifth of it).
///
/// A view can repeat its storage (stride 0), so the file's size alone bounds nothing.
const MAX_ELEMENTS: usize = 1 << 29;

/// Elements of two tensors that are read next to each other at a time.
const PIECE: usize = 1 << 20;

#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Elements between neighbors along each axis; `None` for row-major, without gaps.
    pub(super) stride: Option<Vec<usize>>,
    pub(super) location: Location,
}

impl Tensor {
    pub(super) fn unreadable(dtype: DType, shape: Vec<usize>) -> Self {
        let location = Location::Missing(format!("it holds {dtype}"));
        Self {
            dtype,
            shape,
            stride: None,
            location,
        }
    }

    /// What lies in the storage `key` from its element `first` on.
    pub(super) fn view(
        dtype: DType,
        shape: Vec<usize>,
        stride: Vec<usize>,
        key: String,
        first: usize,
    ) -> Self {
        let Some(size) = dtype.size() else {
            return Self::unreadable(dtype, shape);
        };
        let skip = first.saturating_mul(size) as u64;
        Self {
            dtype,
            stride: Some(stride).filter(|stride| !is_contiguous(&shape, stride)),
            shape,
            location: Location::Storage { key, skip },
        }
    }

    /// Bytes of what names its type, its storage and what is wrong with it.
    pub(super) fn names_size(&self) -> usize {
        let location = match &self.location {
            Location::Storage { key: name, .. } | Location::Missing(name) => name.len(),
            Location::Plain { .. } | Location::Compressed { .. } | Location::Pack(_) => 0,
        };
        location + self.dtype.to_string().len()
    }

    /// Elements of the storage that it spans, from its first one on.
    pub(super) fn span(&self) -> Option<usize> {
        match &self.stride {
            Some(stride) => extent(&self.shape, stride),
            None => elements(&self.shape),
        }
    }

    /// The same, in one of these storages.
    pub(super) fn placed(mut self, storages: &HashMap<String, Location>) -> Self {
        if let Location::Storage { key, skip } = &self.location
            && let Some(storage) = storages.get(key)
        {
            let size = self.dtype.size().unwrap_or_default();
            let bytes = |span: usize| span.saturating_mul(size) as u64;
            self.location = storage.view(key, *skip, self.span().map_or(u64::MAX, bytes));
        }
        self
    }

    /// Reads the elements as `f32`, row-major.
    pub(super) fn read(&self) -> io::Result<Vec<f32>> {
        let shape = &self.shape;
        let fits = |count: &usize| *count <= MAX_ELEMENTS;
        let (Some(count), Some(span)) = (elements(shape).filter(fits), self.span().filter(fits))
        else {
            return Err(invalid(format!(
                "its shape {shape:?} has or spans more than {MAX_ELEMENTS} elements"
            )));
        };
        let values = self.location.read(|reader| {
            let mut values = vec![0.0; span];
            decode(reader, &self.dtype, &mut values)?;
            Ok(values)
        })?;
        Ok(match &self.stride {
            Some(stride) => gather(&values, shape, stride, count),
            None => values,
        })
    }

    /// Reads the elements of two row-major tensors of one shape next to each other, a piece at a time.
    pub(super) fn read_beside(
        &self,
        other: &Self,
        take: &mut dyn FnMut(&[f32], &[f32]),
    ) -> io::Result<()> {
        let mut left = self.span().unwrap_or_default();
        let (mut one, mut two) = (vec![0.0; PIECE.min(left)], vec![0.0; PIECE.min(left)]);
        self.location.read(|first| {
            other.location.read(|second| {
                while left > 0 {
                    let length = PIECE.min(left);
                    decode(first, &self.dtype, &mut one[..length])?;
                    decode(second, &other.dtype, &mut two[..length])?;
                    take(&one[..length], &two[..length]);
                    left -= length;
                }
                Ok(())
            })
        })
    }

    /// The element of a tensor of `int64` that has one; else 0.
    pub(super) fn single_integer(&self) -> io::Result<i64> {
        let mut bytes = [0; 8];
        if elements(&self.shape) == Some(1) {
            self.location.read(|reader| reader.read_exact(&mut bytes))?;
        }
        Ok(i64::from_le_bytes(bytes))
    }
}

/// The number of elements, unless it overflows.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |count, &dim| count.checked_mul(dim))
}

/// One past the last element that a view reaches, counted from its first one.
pub(super) fn extent(shape: &[usize], stride: &[usize]) -> Option<usize> {
    if shape.len() != stride.len() {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape
        .iter()
        .zip(stride)
        .try_fold(0_usize, |last, (&dim, &step)| {
            last.checked_add((dim - 1).checked_mul(step)?)
        })?;
    last.checked_add(1)
}

/// Whether a view is row-major and without gaps. Axes of one element may have any stride.
fn is_contiguous(shape: &[usize], stride: &[usize]) -> bool {
    let mut expected = 1_usize;
    for (&dim, &step) in shape.iter().zip(stride).rev() {
        if dim > 1 && step != expected {
            return false;
        }
        expected = expected.saturating_mul(dim);
    }
    true
}

/// Copies a strided view, which lies within `window`, into row-major order.
fn gather(window: &[f32], shape: &[usize], stride: &[usize], count: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(count);
    let (Some((&inner, outer)), Some((&step, outer_stride))) =
        (shape.split_last(), stride.split_last())
    else {
        return window.to_vec();
    };
    // Counts the outer axes up like an odometer; `base` is the row's first element.
    let mut index = vec![0_usize; outer.len()];
    let mut base = 0_usize;
    while out.len() < count {
        out.extend((0..inner).filter_map(|i| window.get(base + i * step)));
        for ((position, &dim), &step) in index.iter_mut().zip(outer).zip(outer_stride).rev() {
            *position += 1;
            base += step;
            if *position < dim {
                break;
            }
            base -= *position * step;
            *position = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_view_reaches_its_last_element() {
        assert_eq!(extent(&[2, 3], &[3, 1]), Some(6));
        assert_eq!(extent(&[2, 3], &[1, 2]), Some(6));
        assert_eq!(extent(&[4], &[0]), Some(1));
        assert_eq!(extent(&[], &[]), Some(1));
        assert_eq!(extent(&[0, 5], &[5, 1]), Some(0));
        assert_eq!(extent(&[usize::MAX, 2], &[2, 1]), None);
    }

    #[test]
    fn an_axis_of_one_has_any_stride() {
        assert!(is_contiguous(&[2, 1, 3], &[3, 99, 1]));
        assert!(!is_contiguous(&[2, 3], &[1, 2]));
    }

    proptest! {
        /// Reading a permuted view gives the elements in the view's own order.
        #[test]
        fn gather_follows_the_strides(
            (dims, axes) in proptest::collection::vec(1_usize..5, 1..5).prop_flat_map(|dims| {
                let axes: Vec<usize> = (0..dims.len()).collect();
                (Just(dims), Just(axes).prop_shuffle())
            }),
        ) {
            let count: usize = dims.iter().product();
            let window: Vec<f32> = (0_u16..).map(f32::from).take(count).collect();
            // Strides of a tensor laid out with its axes in another order.
            let mut stride = vec![0; dims.len()];
            let mut step = 1;
            for &axis in axes.iter().rev() {
                stride[axis] = step;
                step *= dims[axis];
            }
            let out = gather(&window, &dims, &stride, count);
            prop_assert_eq!(out.len(), count);
            for (linear, value) in out.iter().enumerate() {
                let mut rest = linear;
                let mut at = 0;
                for (&dim, &step) in dims.iter().zip(&stride).rev() {
                    at += (rest % dim) * step;
                    rest /= dim;
                }
                prop_assert_eq!(value.to_bits(), window[at].to_bits());
            }
        }
    }
}
