//! Arithmetic of strided views. Counts are in elements.

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
pub(super) fn is_contiguous(shape: &[usize], stride: &[usize]) -> bool {
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
pub(super) fn gather(window: &[f32], shape: &[usize], stride: &[usize], count: usize) -> Vec<f32> {
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
