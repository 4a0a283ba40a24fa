//! Sums, means, maxima and norms over axes.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;

use super::Table;
use crate::network::pt2::value::{Call, Floats, Result, Value, axis_of, refused, shape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.mean", |call| over(call, Dispatch::float_mean_dim)),
    ("aten.sum", |call| over(call, Dispatch::float_sum_dim)),
    ("aten.amax", |call| over(call, Dispatch::float_max_dim)),
    ("aten.amin", |call| over(call, Dispatch::float_min_dim)),
    ("aten.max", most),
    ("aten.var", variance),
    ("aten.std", |call| match variance(call)? {
        Value::Tensor(variance) => Ok(Value::Tensor(Dispatch::float_sqrt(variance))),
        other => Ok(other),
    }),
    ("aten.linalg_vector_norm", norm),
    ("aten.norm", norm),
];

/// The axes that an operation goes over.
struct Axes {
    all: Vec<usize>,
    /// Whether they stay, with a size of 1.
    stay: bool,
}

impl Axes {
    /// Those of `dim`; all where it is left out or empty.
    fn of(call: &mut Call, rank: usize) -> Result<Self> {
        let axes = call.ints("dim")?.unwrap_or_default();
        let axes: Vec<usize> = axes
            .into_iter()
            .map(|axis| axis_of(axis, rank))
            .collect::<Result<_>>()?;
        Ok(Self {
            all: if axes.is_empty() {
                (0..rank).collect()
            } else {
                axes
            },
            stay: call.bool("keepdim", false)?,
        })
    }

    fn reduce(&self, mut x: Floats, of: impl Fn(Floats, usize) -> Floats) -> Floats {
        for axis in &self.all {
            x = of(x, *axis);
        }
        if self.stay {
            return x;
        }
        let left = sizes(&x).into_iter().enumerate();
        let left = left.filter(|(axis, _)| !self.all.contains(axis));
        let left: Vec<usize> = left.map(|(_, size)| size).collect();
        Dispatch::float_reshape(x, shape(&left))
    }
}

fn over(call: &mut Call, of: impl Fn(Floats, usize) -> Floats) -> Result<Value> {
    let x = call.tensor("self")?;
    let axes = Axes::of(call, sizes(&x).len())?;
    Ok(Value::Tensor(axes.reduce(x, of)))
}

/// Of two tensors, or over an axis, with places that nothing may use.
fn most(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    if call.take("other").is_some() {
        return refused("it compares two tensors: torch.maximum is known");
    }
    let has_axis = call.ints("dim")?;
    let rank = sizes(&x).len();
    let axes = Axes {
        all: match &has_axis {
            Some(axes) => axes
                .iter()
                .map(|axis| axis_of(*axis, rank))
                .collect::<Result<_>>()?,
            None => (0..rank).collect(),
        },
        stay: call.bool("keepdim", false)?,
    };
    let largest = Value::Tensor(axes.reduce(x, Dispatch::float_max_dim));
    Ok(match has_axis {
        Some(_) => Value::List(vec![largest, Value::None]),
        None => largest,
    })
}

/// Divided by one less than the count, as `correction` says.
fn variance(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let unbiased = call.bool("unbiased", true)?;
    let correction = call.float("correction", f64::from(u8::from(unbiased)))?;
    let own = sizes(&x);
    let axes = Axes::of(call, own.len())?;
    let count: usize = axes.all.iter().map(|axis| own[*axis]).product();
    let mut mean = x.clone();
    for axis in &axes.all {
        mean = Dispatch::float_mean_dim(mean, *axis);
    }
    let centered = Dispatch::float_sub(x, mean);
    let squares = Dispatch::float_mul(centered.clone(), centered);
    let sum = axes.reduce(squares, Dispatch::float_sum_dim);
    let divisor = count as f64 - correction;
    Ok(Value::Tensor(Dispatch::float_div_scalar(
        sum,
        divisor.into(),
    )))
}

/// The second norm, the first, or the largest.
fn norm(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let order = match call.optional_float("ord")? {
        Some(order) => order,
        None => call.float("p", 2.0)?,
    };
    let axes = Axes::of(call, sizes(&x).len())?;
    let absolute = Dispatch::float_abs(x);
    #[expect(clippy::float_cmp, reason = "as they are written")]
    let norm = if order == 2.0 {
        let squares = Dispatch::float_mul(absolute.clone(), absolute);
        Dispatch::float_sqrt(axes.reduce(squares, Dispatch::float_sum_dim))
    } else if order == 1.0 {
        axes.reduce(absolute, Dispatch::float_sum_dim)
    } else if order == f64::INFINITY {
        axes.reduce(absolute, Dispatch::float_max_dim)
    } else {
        return refused(format!("the norm of order {order} is not known"));
    };
    Ok(Value::Tensor(norm))
}
