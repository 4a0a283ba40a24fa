//! Activations.

use burn::backend::Dispatch;
use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::{Tensor, activation};

use super::Table;
use super::arithmetic::{map, together};
use crate::network::pt2::value::{Call, Floats, Result, Value, reshape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.relu", |call| map(call, Dispatch::relu)),
    ("aten.relu6", |call| map(call, |x| clamp(x, 0.0, 6.0))),
    ("aten.sigmoid", |call| map(call, Dispatch::sigmoid)),
    ("aten.tanh", |call| map(call, Dispatch::float_tanh)),
    ("aten.silu", |call| by_burn(call, activation::silu)),
    ("aten.mish", |call| by_burn(call, activation::mish)),
    ("aten.hardswish", |call| map(call, hardswish)),
    ("aten.hardsigmoid", |call| map(call, hardsigmoid)),
    ("aten.softplus", softplus),
    ("aten.hardtanh", hardtanh),
    ("aten.leaky_relu", leaky_relu),
    ("aten.prelu", prelu),
    ("aten.elu", |call| elu(call, 1.0, 1.0)),
    ("aten.selu", |call| {
        elu(call, 1.673_263_242_354_377_3, 1.050_700_987_355_480_5)
    }),
    ("aten.celu", celu),
    ("aten.gelu", gelu),
    ("aten.softmax aten._softmax", |call| {
        along(call, Dispatch::softmax)
    }),
    ("aten.log_softmax aten._log_softmax", |call| {
        along(call, Dispatch::log_softmax)
    }),
];

fn along(call: &mut Call, of: impl Fn(Floats, usize) -> Floats) -> Result<Value> {
    let (x, own) = call.sized()?;
    let axis = call.axis("dim", -1, own.len())?;
    Ok(Value::Tensor(of(x, axis)))
}

fn clamp(x: Floats, low: f64, high: f64) -> Floats {
    Dispatch::float_clamp(x, low.into(), high.into())
}

fn times(x: Floats, factor: f64) -> Floats {
    Dispatch::float_mul_scalar(x, factor.into())
}

fn plus(x: Floats, more: f64) -> Floats {
    Dispatch::float_add_scalar(x, more.into())
}

/// What Burn has for tensors of a known rank, and does value by value: this one has the rank that it has.
fn by_burn(call: &mut Call, of: impl Fn(Tensor<1>) -> Tensor<1>) -> Result<Value> {
    map(call, |x| of(Tensor::from_dispatch(x)).into_dispatch())
}

/// `clamp(x + 3, 0, 6) / 6`, rounded as PyTorch does: where a map is one pixel, a range of its own shows every bit.
fn hardsigmoid(x: Floats) -> Floats {
    Dispatch::float_div_scalar(clamp(plus(x, 3.0), 0.0, 6.0), 6.0.into())
}

fn hardswish(x: Floats) -> Floats {
    let product = Dispatch::float_mul(x.clone(), clamp(plus(x, 3.0), 0.0, 6.0));
    Dispatch::float_div_scalar(product, 6.0.into())
}

fn softplus(call: &mut Call) -> Result<Value> {
    let (beta, threshold) = (call.float("beta", 1.0)?, call.float("threshold", 20.0)?);
    by_burn(call, |x| {
        activation::softplus_with_threshold(x, beta, threshold)
    })
}

fn hardtanh(call: &mut Call) -> Result<Value> {
    let (low, high) = (call.float("min_val", -1.0)?, call.float("max_val", 1.0)?);
    map(call, |x| clamp(x, low, high))
}

fn leaky_relu(call: &mut Call) -> Result<Value> {
    let slope = call.float("negative_slope", 0.01)?;
    map(call, |x| Dispatch::leaky_relu(x, slope.into()))
}

/// One slope for all, or one a channel.
fn prelu(call: &mut Call) -> Result<Value> {
    let (weight, x) = (call.tensor("weight")?, call.subject()?);
    let mut slopes = vec![1; sizes(&x).len()];
    if let Some(channels) = slopes.get_mut(1) {
        *channels = sizes(&weight).iter().product();
    }
    let (x, slopes) = together(x, reshape(weight, &slopes), call.most)?;
    Ok(Value::Tensor(Dispatch::prelu(x, slopes)))
}

/// `scale · (max(x, 0) + alpha · (exp(min(x, 0) · slope) − 1))`
fn exponential(x: Floats, alpha: f64, scale: f64, slope: f64) -> Floats {
    let below = times(Dispatch::float_clamp_max(x.clone(), 0.0.into()), slope);
    let below = plus(Dispatch::float_exp(below), -1.0);
    times(
        Dispatch::float_add(Dispatch::relu(x), times(below, alpha)),
        scale,
    )
}

fn elu(call: &mut Call, alpha: f64, scale: f64) -> Result<Value> {
    let (alpha, scale) = (call.float("alpha", alpha)?, call.float("scale", scale)?);
    let slope = call.float("input_scale", 1.0)?;
    map(call, |x| exponential(x, alpha, scale, slope))
}

fn celu(call: &mut Call) -> Result<Value> {
    let alpha = call.float("alpha", 1.0)?;
    map(call, |x| exponential(x, alpha, 1.0, 1.0 / alpha))
}

fn gelu(call: &mut Call) -> Result<Value> {
    if call.text("approximate").as_deref() != Some("tanh") {
        return map(call, Dispatch::gelu);
    }
    map(call, |x| {
        // x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 · x³))); Burn's takes the cube as a power.
        let square = Dispatch::float_mul(x.clone(), x.clone());
        let inner = Dispatch::float_mul(x.clone(), plus(times(square, 0.044_715), 1.0));
        let inner = times(inner, (2.0 / std::f64::consts::PI).sqrt());
        Dispatch::float_mul(times(x, 0.5), plus(Dispatch::float_tanh(inner), 1.0))
    })
}
