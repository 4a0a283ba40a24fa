//! Bases in a file, `RUN/bases.safetensors`, for the later steps of the run and for other runs.
//!
//! Each layer has four tensors F32 under its tag: `05_conv2_1/mean` `[channels]`, `components` `[3, channels]`,
//! `explained_variance_ratio` `[3]` and `range` `[3, 2]`. The metadata say what they were made from.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use safetensors::{SafeTensorError, serialize};
use thiserror::Error;

use super::Bases;
use super::basis::Basis;
use super::eigen::COMPONENTS;

pub(crate) const BASES: &str = "bases.safetensors";

const FROM: &str = "vggscope-bases";

#[derive(Debug, Error)]
pub(crate) enum BasesError {
    #[error("{0}")]
    Format(#[from] SafeTensorError),
    #[error("its metadata have no `{FROM}`")]
    OtherFile,
    #[error("`{name}` is {dtype:?} {shape:?}, expected F32 {expected:?} of finite values")]
    Tensor {
        name: String,
        dtype: Dtype,
        shape: Vec<usize>,
        expected: Vec<usize>,
    },
    #[error("the range of a component of {0} does not rise")]
    Range(String),
}

struct Stored {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn new(tag: &str, name: &str, shape: &[usize], values: &[f32]) -> Self {
        Self {
            name: format!("{tag}/{name}"),
            shape: shape.to_vec(),
            bytes: values.iter().copied().flat_map(f32::to_le_bytes).collect(),
        }
    }
}

impl Bases {
    /// As a file holds them; equal ones give equal bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, BasesError> {
        let stored = |(tag, basis): (&String, &Basis)| {
            let channels = basis.channels();
            [
                Stored::new(tag, "mean", &[channels], &basis.mean),
                Stored::new(
                    tag,
                    "components",
                    &[COMPONENTS, channels],
                    &basis.components.concat(),
                ),
                Stored::new(
                    tag,
                    "explained_variance_ratio",
                    &[COMPONENTS],
                    &basis.explained,
                ),
                Stored::new(tag, "range", &[COMPONENTS, 2], basis.ranges.as_flattened()),
            ]
        };
        let stored: Vec<Stored> = self.layers.iter().flat_map(stored).collect();
        let mut views = Vec::new();
        for of in &stored {
            views.push((
                &of.name,
                TensorView::new(Dtype::F32, of.shape.clone(), &of.bytes)?,
            ));
        }
        // One entry: the order of several is another one each time.
        let metadata = HashMap::from([(FROM.to_owned(), self.from.clone())]);
        Ok(serialize(views, Some(metadata))?)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, BasesError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let from = header.metadata().as_ref().and_then(|texts| texts.get(FROM));
        let from = from.ok_or(BasesError::OtherFile)?.clone();
        let file = SafeTensors::deserialize(bytes)?;
        let mut layers = BTreeMap::new();
        for name in file.names() {
            let Some(tag) = name.strip_suffix("/mean") else {
                continue;
            };
            let channels = file.tensor(name)?.shape().iter().product();
            let read = |name: &str, shape: &[usize]| values(&file, &format!("{tag}/{name}"), shape);
            let components = read("components", &[COMPONENTS, channels])?;
            let explained = read("explained_variance_ratio", &[COMPONENTS])?;
            let ranges = read("range", &[COMPONENTS, 2])?;
            if ranges.chunks_exact(2).any(|ends| ends[0] >= ends[1]) {
                return Err(BasesError::Range(tag.to_owned()));
            }
            let basis = Basis::new(
                read("mean", &[channels])?,
                std::array::from_fn(|at| components[at * channels..][..channels].to_vec()),
                std::array::from_fn(|at| explained[at]),
                std::array::from_fn(|at| [ranges[2 * at], ranges[2 * at + 1]]),
            );
            layers.insert(tag.to_owned(), basis);
        }
        Ok(Self { layers, from })
    }
}

/// The values of a tensor, which must have that shape.
fn values(file: &SafeTensors<'_>, name: &str, expected: &[usize]) -> Result<Vec<f32>, BasesError> {
    let tensor = file.tensor(name)?;
    let (floats, _) = tensor.data().as_chunks();
    let floats: Vec<f32> = floats.iter().copied().map(f32::from_le_bytes).collect();
    let is_finite = floats.iter().all(|value| value.is_finite());
    if (tensor.dtype(), tensor.shape()) == (Dtype::F32, expected) && is_finite {
        return Ok(floats);
    }
    Err(BasesError::Tensor {
        name: name.to_owned(),
        dtype: tensor.dtype(),
        shape: tensor.shape().to_vec(),
        expected: expected.to_vec(),
    })
}
