//! Sums, means, maxima and norms over axes.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;

use super::Table;
use crate::network::pt2::value::{Call, Floats, Result, Value, refused, reshape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.mean", |call| over(call, Dispatch::float_mean_dim)),
    ("aten.sum", |call| over(call, Dispatch::float_sum_dim)),
    ("aten.amax", |call| over(call, Dispatch::float_max_dim)),
    ("aten.amin", |call| over(call, Dispatch::float_min_dim)),
    ("aten.max", largest),
    ("aten.var", |call| variance(call).map(Value::Tensor)),
    ("aten.std", |call| {
        Ok(Value::Tensor(Dispatch::float_sqrt(variance(call)?)))
    }),
    ("aten.linalg_vector_norm aten.norm", norm),
];

/// What an operation goes over.
struct Axes {
    x: Floats,
    all: Vec<usize>,
    /// Whether they stay, with a size of 1.
    stay: bool,
}

impl Axes {
    /// Those of `dim`; all where it is left out or empty.
    fn of(call: &mut Call) -> Result<Self> {
        let (x, own) = call.sized()?;
        let rank = own.len();
        let axes = call.axes("dim", rank)?.filter(|axes| !axes.is_empty());
        Ok(Self {
            x,
            all: axes.unwrap_or_else(|| (0..rank).collect()),
            stay: call.bool("keepdim", false)?,
        })
    }

    fn reduce(self, of: impl Fn(Floats, usize) -> Floats) -> Floats {
        let mut x = self.x;
        for axis in &self.all {
            x = of(x, *axis);
        }
        if self.stay {
            return x;
        }
        let left = sizes(&x).into_iter().enumerate();
        let left = left.filter(|(axis, _)| !self.all.contains(axis));
        let left: Vec<usize> = left.map(|(_, size)| size).collect();
        reshape(x, &left)
    }
}

fn over(call: &mut Call, of: impl Fn(Floats, usize) -> Floats) -> Result<Value> {
    Ok(Value::Tensor(Axes::of(call)?.reduce(of)))
}

/// Over all axes, or over one, with places that nothing may use.
fn largest(call: &mut Call) -> Result<Value> {
    if call.take("other").is_some() {
        return refused("it compares two tensors: torch.maximum is known");
    }
    let has_axis = call.has("dim");
    let largest = over(call, Dispatch::float_max_dim)?;
    Ok(if has_axis {
        Value::List(vec![largest, Value::None])
    } else {
        largest
    })
}

/// Divided by one less than the count, as `correction` says.
fn variance(call: &mut Call) -> Result<Floats> {
    let unbiased = call.bool("unbiased", true)?;
    let correction = call.float("correction", f64::from(u8::from(unbiased)))?;
    let mut axes = Axes::of(call)?;
    let own = sizes(&axes.x);
    let count: usize = axes.all.iter().map(|axis| own[*axis]).product();
    let mean = axes.all.iter().fold(axes.x.clone(), |mean, axis| {
        Dispatch::float_mean_dim(mean, *axis)
    });
    let centered = Dispatch::float_sub(axes.x, mean);
    axes.x = Dispatch::float_mul(centered.clone(), centered);
    let sum = axes.reduce(Dispatch::float_sum_dim);
    let divisor = count as f64 - correction;
    Ok(Dispatch::float_div_scalar(sum, divisor.into()))
}

/// The second norm, the first, or the largest.
fn norm(call: &mut Call) -> Result<Value> {
    let order = call.float("p", 2.0)?;
    let order = call.float("ord", order)?;
    let mut axes = Axes::of(call)?;
    axes.x = Dispatch::float_abs(axes.x);
    #[expect(clippy::float_cmp, reason = "as they are written")]
    let norm = if order == 2.0 {
        axes.x = Dispatch::float_mul(axes.x.clone(), axes.x);
        Dispatch::float_sqrt(axes.reduce(Dispatch::float_sum_dim))
    } else if order == 1.0 {
        axes.reduce(Dispatch::float_sum_dim)
    } else if order == f64::INFINITY {
        axes.reduce(Dispatch::float_max_dim)
    } else {
        return refused(format!("the norm of order {order} is not known"));
    };
    Ok(Value::Tensor(norm))
}
