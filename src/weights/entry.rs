//! A tensor of a weights file, and how it is computed where it is stored in parts.

use std::io;

use super::dtype::DType;
use super::location::invalid;
use super::tensor::Tensor;

#[derive(Debug)]
pub struct Entry {
    /// torchvision's name, if the tensor belongs to the network.
    pub(super) name: Option<String>,
    /// Its name in the file: the keys that lead to it, joined with dots.
    pub(super) raw_name: String,
    pub(super) tensor: Tensor,
    pub(super) stored: Stored,
}

/// How a parameter is stored. The numbers are places of other entries in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Whole,
    /// As what another entry is computed from.
    Part,
    /// To be multiplied by a mask: `torch.nn.utils.prune`.
    Masked {
        mask: usize,
    },
    /// As a direction, and the norm of each output: `weight_norm`.
    Direction {
        norm: usize,
    },
    /// To be divided by its spectral norm, given by two singular vectors: `spectral_norm`.
    Spectral {
        u: usize,
        v: usize,
    },
}

impl Entry {
    pub(super) fn new(raw_name: String, tensor: Tensor) -> Self {
        Self {
            name: None,
            raw_name,
            tensor,
            stored: Stored::Whole,
        }
    }

    /// torchvision's name (`features.0.weight`); the name in the file, if the tensor is not one
    /// of the network's.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.raw_name)
    }

    pub fn raw_name(&self) -> &str {
        &self.raw_name
    }

    /// Extents, outermost first, in torchvision's layout: convolutions are
    /// `[outputs, inputs, height, width]`, linear weights `[outputs, inputs]`.
    pub fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    pub fn dtype(&self) -> &DType {
        &self.tensor.dtype
    }

    /// Reads the parameter, multiplied out; `part` reads another entry.
    pub(super) fn read(
        &self,
        part: impl Fn(usize) -> io::Result<Vec<f32>>,
    ) -> io::Result<Vec<f32>> {
        let mut values = self.tensor.read()?;
        let rows = self.shape().first().copied().unwrap_or(1).max(1);
        let columns = (values.len() / rows).max(1);
        match self.stored {
            Stored::Whole | Stored::Part => {}
            Stored::Masked { mask } => {
                let mask = part(mask)?;
                if mask.len() != values.len() {
                    return Err(invalid("its pruning mask has another shape".to_owned()));
                }
                for (value, mask) in values.iter_mut().zip(mask) {
                    *value *= mask;
                }
            }
            Stored::Direction { norm } => {
                let norms = part(norm)?;
                let columns = match norms.len() {
                    count if count == rows => columns,
                    1 => values.len().max(1),
                    _ => return Err(other_dimension("weight")),
                };
                for (row, norm) in values.chunks_mut(columns).zip(norms) {
                    let squares = row.iter().map(|&v| f64::from(v).powi(2));
                    let length = squares.sum::<f64>().sqrt();
                    scale(row, f64::from(norm) / length);
                }
            }
            Stored::Spectral { u, v } => {
                let (u, v) = (part(u)?, part(v)?);
                if (u.len(), v.len()) != (rows, columns) {
                    return Err(other_dimension("spectral"));
                }
                let dot = |row: &[f32]| -> f64 {
                    let products = row.iter().zip(&v);
                    products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
                };
                let rows = values.chunks(columns).zip(&u);
                let norm: f64 = rows.map(|(row, u)| f64::from(*u) * dot(row)).sum();
                scale(&mut values, 1.0 / norm);
            }
        }
        Ok(values)
    }
}

fn other_dimension(norm: &str) -> io::Error {
    invalid(format!("its {norm} norm is over another dimension than 0"))
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn scale(values: &mut [f32], factor: f64) {
    for value in values {
        *value = (f64::from(*value) * factor) as f32;
    }
}
