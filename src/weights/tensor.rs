//! One tensor of a file: where its bytes are, and reading them.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use zip::ZipArchive;

use super::burnpack::PackReader;
use super::dtype::{DType, decode};
use super::source::Part;

/// Largest tensor that is read, in elements (2 GiB as `f32`; VGG's largest has a fifth of it).
///
/// A view can repeat its storage (stride 0), so the file's size alone bounds nothing.
const MAX_ELEMENTS: usize = 1 << 29;

/// A tensor of the file, not read yet.
#[derive(Debug)]
pub(super) struct RawTensor {
    /// Its name in the file: the keys that lead to it, joined with dots.
    pub(super) name: String,
    /// The name that torchvision would use for it, where the format itself has another habit.
    pub(super) torch_name: Option<String>,
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Elements between neighbours along each axis; `None` for row-major, without gaps.
    pub(super) stride: Option<Vec<usize>>,
    pub(super) place: Place,
}

/// Where a tensor's first element and those after it are.
pub(super) enum Place {
    /// In the file as they are. With a checksum where the part is all that it covers.
    Plain { part: Part, crc32: Option<u32> },
    /// In a compressed zip entry, `skip` bytes in.
    Compressed {
        archive: Arc<Mutex<ZipArchive<io::BufReader<Part>>>>,
        index: usize,
        skip: u64,
    },
    /// In a Burn pack.
    Pack(PackReader),
    /// Nowhere: why.
    Missing(String),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain { .. } => "Plain",
            Self::Compressed { .. } => "Compressed",
            Self::Pack(_) => "Pack",
            Self::Missing(_) => "Missing",
        })
    }
}

impl RawTensor {
    /// The name in which wrappers and prefixes are looked for.
    pub(super) fn spelled(&self) -> &str {
        self.torch_name.as_deref().unwrap_or(&self.name)
    }

    /// Reads the elements as `f32`, row-major.
    pub(super) fn read(&self) -> io::Result<Vec<f32>> {
        let count = elements(&self.shape).filter(|&count| count <= MAX_ELEMENTS);
        let count = count.ok_or_else(|| {
            invalid(format!(
                "its shape {:?} has more than {MAX_ELEMENTS} elements",
                self.shape
            ))
        })?;
        let Some(stride) = &self.stride else {
            return self.read_window(count);
        };
        let window = extent(&self.shape, stride)
            .filter(|&window| window <= MAX_ELEMENTS)
            .ok_or_else(|| invalid(format!("its strides {stride:?} reach too far")))?;
        let window = self.read_window(window)?;
        Ok(gather(&window, &self.shape, stride, count))
    }

    /// Reads `count` elements in the order in which they are stored.
    fn read_window(&self, count: usize) -> io::Result<Vec<f32>> {
        let mut out = vec![0.0; count];
        match &self.place {
            Place::Plain { part, crc32: None } => {
                decode(&mut part.clone(), &self.dtype, &mut out)?;
            }
            Place::Plain {
                part,
                crc32: Some(expected),
            } => {
                let mut reader = Checksummed {
                    inner: part.clone(),
                    crc32: crc32fast::Hasher::new(),
                };
                decode(&mut reader, &self.dtype, &mut out)?;
                if reader.crc32.finalize() != *expected {
                    return Err(invalid("its checksum does not match its bytes".into()));
                }
            }
            Place::Compressed {
                archive,
                index,
                skip,
            } => {
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                let mut entry = archive.by_index(*index).map_err(io::Error::other)?;
                io::copy(&mut (&mut entry).take(*skip), &mut io::sink())?;
                decode(&mut entry, &self.dtype, &mut out)?;
            }
            Place::Pack(pack) => decode(&mut pack.clone(), &self.dtype, &mut out)?,
            Place::Missing(why) => return Err(invalid(why.clone())),
        }
        Ok(out)
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

/// Copies a strided view of `window` into row-major order. The view lies within the window.
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

/// Passes bytes through and sums them up.
struct Checksummed<R> {
    inner: R,
    crc32: crc32fast::Hasher,
}

impl<R: Read> Read for Checksummed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.crc32.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

pub(super) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
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
