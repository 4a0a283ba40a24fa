//! Values of a graph while it runs, and the arguments of an operation.

use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{Device, FloatTensor, IntTensor};
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{FloatDType, Shape};

/// A tensor of floats of any rank, on any device.
pub(super) type Floats = FloatTensor<Dispatch>;

#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Tensor(Floats),
    /// A tensor of whole numbers.
    Integers(IntTensor<Dispatch>),
    List(Vec<Value>),
}

/// What an operation is given that it cannot take, or asks of it that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

pub(super) type Result<T> = std::result::Result<T, Refused>;

pub(super) fn refused<T>(why: impl Into<String>) -> Result<T> {
    Err(Refused(why.into()))
}

/// The sizes of a tensor.
pub(super) fn sizes(tensor: &Floats) -> Vec<usize> {
    tensor.shape().to_vec()
}

/// How many values a tensor may have. A graph that is damaged asks for any number of them, so this is checked before
/// Burn allocates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most(usize);

impl Most {
    /// More than any network makes of a pixel of its input.
    const A_PIXEL: usize = 1 << 12;
    /// What parameters alone make, whatever the image is.
    const WITHOUT: usize = 1 << 24;

    pub(super) fn of(image: &Floats) -> Self {
        let all = sizes(image);
        let pixels = all.iter().enumerate().filter(|(axis, _)| *axis != 1);
        let pixels = pixels.fold(1_usize, |product, (_, size)| product.saturating_mul(*size));
        Self(pixels.saturating_mul(Self::A_PIXEL).max(Self::WITHOUT))
    }

    /// Checks what a tensor of these sizes takes; a size of 0 does not make the others smaller.
    pub(super) fn check(self, sizes: &[usize]) -> Result<()> {
        let mut all = sizes.iter().map(|size| *size.max(&1));
        match all.try_fold(1_usize, usize::checked_mul) {
            Some(count) if count <= self.0 => Ok(()),
            _ => refused(format!(
                "it makes {sizes:?}, more than the {} values that such an image is good for",
                self.0
            )),
        }
    }
}

/// The arguments of an operation, by name. What is left out has the operator's default.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) most: Most,
    /// Where tensors are made that come from no other.
    pub(super) device: Device<Dispatch>,
    arguments: Vec<(String, Value)>,
}

impl Call {
    pub(super) fn new(
        arguments: Vec<(String, Value)>,
        most: Most,
        device: Device<Dispatch>,
    ) -> Self {
        Self {
            most,
            device,
            arguments,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.arguments.iter().any(|(own, _)| own == name)
    }

    /// An argument, which is moved out; `None` where it was left out or is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let mut arguments = self.arguments.iter_mut();
        let (_, value) = arguments.find(|(own, _)| own == name)?;
        match std::mem::replace(value, Value::None) {
            Value::None => None,
            value => Some(value),
        }
    }

    /// The first argument, whatever it is called.
    pub(super) fn first(&mut self) -> Option<Value> {
        let (_, value) = self.arguments.first_mut()?;
        Some(std::mem::replace(value, Value::None))
    }

    /// The sizes of the first argument, if it is a tensor of floats.
    pub(super) fn first_sizes(&self) -> Option<Vec<usize>> {
        match self.arguments.first() {
            Some((_, Value::Tensor(tensor))) => Some(sizes(tensor)),
            _ => None,
        }
    }

    /// What follows the first argument.
    pub(super) fn rest(&self) -> impl Iterator<Item = &Value> {
        self.arguments.iter().skip(1).map(|(_, value)| value)
    }

    fn needed(&mut self, name: &str) -> Result<Value> {
        let value = self.take(name);
        value.ok_or_else(|| Refused(format!("it lacks its argument `{name}`")))
    }

    pub(super) fn tensor(&mut self, name: &str) -> Result<Floats> {
        let value = self.needed(name)?;
        of_kind(name, value.tensor(), "a tensor of floats")
    }

    pub(super) fn optional_tensor(&mut self, name: &str) -> Result<Option<Floats>> {
        let value = self.take(name);
        let tensor = value.map(|value| of_kind(name, value.tensor(), "a tensor of floats"));
        tensor.transpose()
    }

    pub(super) fn tensors(&mut self, name: &str) -> Result<Vec<Floats>> {
        let Value::List(all) = self.needed(name)? else {
            return of_kind(name, None, "tensors");
        };
        let all = all.into_iter().map(Value::tensor);
        of_kind(name, all.collect(), "tensors of floats")
    }

    pub(super) fn int(&mut self, name: &str, default: i64) -> Result<i64> {
        let value = self.take(name);
        let int = value.map(|value| of_kind(name, value.int(), "a whole number"));
        Ok(int.transpose()?.unwrap_or(default))
    }

    /// A number that has to be there.
    pub(super) fn needed_int(&mut self, name: &str) -> Result<i64> {
        let value = self.needed(name)?;
        of_kind(name, value.int(), "a whole number")
    }

    /// Several, or one that stands for a list of itself.
    pub(super) fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>> {
        let ints = match self.take(name) {
            None => return Ok(None),
            Some(Value::List(all)) => all.iter().map(Value::int).collect(),
            Some(one) => one.int().map(|one| vec![one]),
        };
        of_kind(name, ints, "whole numbers").map(Some)
    }

    /// Sizes along the two axes of an image: one stands for both, an empty list for what was left out.
    pub(super) fn pair(&mut self, name: &str) -> Result<Option<[usize; 2]>> {
        let Some(ints) = self.ints(name)? else {
            return Ok(None);
        };
        let pair = match *ints {
            [] => return Ok(None),
            [one] => [one, one],
            [one, two] => [one, two],
            _ => return refused(format!("`{name}` is {ints:?}, expected two numbers")),
        };
        let [Ok(one), Ok(two)] = pair.map(usize::try_from) else {
            return refused(format!("`{name}` is {ints:?}, expected no number below 0"));
        };
        Ok(Some([one, two]))
    }

    pub(super) fn float(&mut self, name: &str, default: f64) -> Result<f64> {
        Ok(self.optional_float(name)?.unwrap_or(default))
    }

    /// A number that has to be there.
    pub(super) fn needed_float(&mut self, name: &str) -> Result<f64> {
        let value = self.needed(name)?;
        of_kind(name, value.float(), "a number")
    }

    pub(super) fn optional_float(&mut self, name: &str) -> Result<Option<f64>> {
        let value = self.take(name);
        let float = value.map(|value| of_kind(name, value.float(), "a number"));
        float.transpose()
    }

    pub(super) fn bool(&mut self, name: &str, default: bool) -> Result<bool> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(value),
            Some(_) => of_kind(name, None, "true or false"),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// An axis of a tensor of `rank` axes, counted from the end where it is negative.
    pub(super) fn axis(&mut self, name: &str, default: i64, rank: usize) -> Result<usize> {
        let axis = self.int(name, default)?;
        axis_of(axis, rank)
    }
}

pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let count = i64::try_from(rank).unwrap_or(i64::MAX);
    let from_start = if axis < 0 {
        axis.saturating_add(count)
    } else {
        axis
    };
    match usize::try_from(from_start) {
        Ok(axis) if axis < rank.max(1) => Ok(axis),
        _ => refused(format!("there is no axis {axis} of {rank}")),
    }
}

fn of_kind<T>(name: &str, value: Option<T>, expected: &str) -> Result<T> {
    value.ok_or_else(|| Refused(format!("its argument `{name}` is not {expected}")))
}

impl Value {
    pub(super) fn tensor(self) -> Option<Floats> {
        match self.floats() {
            Self::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// Whole numbers as floats, everything else as it is.
    pub(super) fn floats(self) -> Self {
        match self {
            Self::Integers(all) => Self::Tensor(Dispatch::int_into_float(all, FloatDType::F32)),
            other => other,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i64::from(*value)),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number")]
            Self::Float(value) if value.fract() == 0.0 => Some(*value as i64),
            _ => None,
        }
    }

    pub(super) fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Int(value) => Some(*value as f64),
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            _ => None,
        }
    }
}

/// A shape of these sizes.
pub(super) fn shape(sizes: &[usize]) -> Shape {
    Shape::from(sizes.to_vec())
}
