//! Values of a graph while it runs, and the arguments of an operation.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{Device, FloatTensor};
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::Shape;

/// A tensor of floats of any rank, on any device.
pub(super) type Floats = FloatTensor<Dispatch>;

/// Where a value of the graph is kept while it is needed.
pub(super) type Place = usize;

/// What a graph's file has as it is comes first.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Infinite numbers too, which JSON does not have.
    Text(String),
    #[serde(skip)]
    None,
    /// Of floats, whatever numbers PyTorch has: what is true is 1, and places in a list are counted exactly.
    #[serde(skip)]
    Tensor(Floats),
    #[serde(skip)]
    List(Vec<Value>),
    /// What is at a place, before it is computed.
    #[serde(skip)]
    At(Place),
}

/// What an operation is given that it cannot take, or asks of it that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

pub(super) type Result<T> = std::result::Result<T, Refused>;

pub(super) fn refused<T>(why: impl Into<String>) -> Result<T> {
    Err(Refused(why.into()))
}

pub(super) fn sizes(tensor: &Floats) -> Vec<usize> {
    tensor.shape().to_vec()
}

/// The sizes of a tensor that has so many axes.
pub(super) fn axes<const N: usize>(tensor: &Floats) -> Result<[usize; N]> {
    let all = sizes(tensor);
    match all.as_slice().try_into() {
        Ok(axes) => Ok(axes),
        Err(_) => refused(format!("it is given {all:?}, expected {N} axes")),
    }
}

pub(super) fn shape(sizes: &[usize]) -> Shape {
    Shape::from(sizes.to_vec())
}

pub(super) fn reshape(tensor: Floats, sizes: &[usize]) -> Floats {
    Dispatch::float_reshape(tensor, shape(sizes))
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
    pub(super) arguments: Vec<(String, Value)>,
}

impl Call {
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

    /// The same and its sizes.
    pub(super) fn sized(&mut self) -> Result<(Floats, Vec<usize>)> {
        let x = self.subject()?;
        let own = sizes(&x);
        Ok((x, own))
    }

    /// The first argument, which has to be a tensor.
    pub(super) fn subject(&mut self) -> Result<Floats> {
        match self.first().and_then(Value::tensor) {
            Some(tensor) => Ok(tensor),
            None => refused("its first argument is not a tensor of floats"),
        }
    }

    /// How many axes the first argument has.
    pub(super) fn rank(&self) -> usize {
        match self.arguments.first() {
            Some((_, Value::Tensor(tensor))) => sizes(tensor).len(),
            _ => 0,
        }
    }

    pub(super) fn second(&self) -> Option<&Value> {
        self.arguments.get(1).map(|(_, value)| value)
    }

    /// An argument as `of` reads it, if it was given.
    fn optional<T>(
        &mut self,
        name: &str,
        of: impl FnOnce(Value) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>> {
        match self.take(name).map(of) {
            Some(None) => refused(format!("its argument `{name}` is not {expected}")),
            given => Ok(given.flatten()),
        }
    }

    pub(super) fn tensor(&mut self, name: &str) -> Result<Floats> {
        needed(name, self.optional_tensor(name)?)
    }

    pub(super) fn optional_tensor(&mut self, name: &str) -> Result<Option<Floats>> {
        self.optional(name, Value::tensor, "a tensor of floats")
    }

    pub(super) fn tensors(&mut self, name: &str) -> Result<Vec<Floats>> {
        let all = |value| match value {
            Value::List(all) => all.into_iter().map(Value::tensor).collect(),
            _ => None,
        };
        needed(name, self.optional(name, all, "tensors of floats")?)
    }

    fn optional_int(&mut self, name: &str) -> Result<Option<i64>> {
        self.optional(name, |value| value.int(), "a whole number")
    }

    pub(super) fn int(&mut self, name: &str, default: i64) -> Result<i64> {
        Ok(self.optional_int(name)?.unwrap_or(default))
    }

    pub(super) fn needed_int(&mut self, name: &str) -> Result<i64> {
        needed(name, self.optional_int(name)?)
    }

    /// How many of something, one at least.
    pub(super) fn count(&mut self, name: &str, default: Option<i64>) -> Result<usize> {
        let count = self.optional_int(name)?.or(default);
        match needed(name, count)?.try_into() {
            Ok(count) if count > 0 => Ok(count),
            _ => refused(format!("its argument `{name}` is below 1")),
        }
    }

    /// Several, or one that stands for a list of itself.
    pub(super) fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>> {
        let all = |value: Value| match value {
            Value::List(all) => all.iter().map(Value::int).collect(),
            one => one.int().map(|one| vec![one]),
        };
        self.optional(name, all, "whole numbers")
    }

    pub(super) fn needed_ints(&mut self, name: &str) -> Result<Vec<i64>> {
        needed(name, self.ints(name)?)
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

    pub(super) fn optional_float(&mut self, name: &str) -> Result<Option<f64>> {
        self.optional(name, |value| value.float(), "a number")
    }

    pub(super) fn float(&mut self, name: &str, default: f64) -> Result<f64> {
        Ok(self.optional_float(name)?.unwrap_or(default))
    }

    pub(super) fn bool(&mut self, name: &str, default: bool) -> Result<bool> {
        let of = |value| match value {
            Value::Bool(value) => Some(value),
            _ => None,
        };
        let given = self.optional(name, of, "true or false")?;
        Ok(given.unwrap_or(default))
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let mut arguments = self.arguments.iter();
        match arguments.find(|(own, _)| own == name) {
            Some((_, Value::Text(text))) => Some(text.clone()),
            _ => None,
        }
    }

    /// An axis of a tensor of `rank` axes, counted from the end where it is negative.
    pub(super) fn axis(&mut self, name: &str, default: i64, rank: usize) -> Result<usize> {
        axis_of(self.int(name, default)?, rank)
    }

    /// The same of several.
    pub(super) fn axes(&mut self, name: &str, rank: usize) -> Result<Option<Vec<usize>>> {
        let axes = self.ints(name)?;
        let of = |axes: Vec<i64>| axes.into_iter().map(|axis| axis_of(axis, rank)).collect();
        axes.map(of).transpose()
    }
}

fn needed<T>(name: &str, given: Option<T>) -> Result<T> {
    given.ok_or_else(|| Refused(format!("it lacks its argument `{name}`")))
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

impl Value {
    /// The places that it is made of.
    pub(super) fn places(&self) -> Vec<Place> {
        match self {
            Self::At(place) => vec![*place],
            Self::List(all) => all.iter().flat_map(Self::places).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn tensor(self) -> Option<Floats> {
        match self {
            Self::Tensor(tensor) => Some(tensor),
            _ => None,
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
            // `inf`, which JSON does not have.
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}
