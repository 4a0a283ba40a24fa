//! Arithmetic, value by value, with tensors of other shapes and with numbers; and that of sizes.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{DType, FloatDType};

use super::Table;
use crate::network::pt2::value::{Call, Floats, Most, Result, Value, refused, shape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.add", |call| {
        scaled(call, Dispatch::float_add, |a, b| a + b)
    }),
    ("aten.sub", |call| {
        scaled(call, Dispatch::float_sub, |a, b| a - b)
    }),
    ("aten.rsub", |call| {
        scaled(call, |a, b| Dispatch::float_sub(b, a), |a, b| b - a)
    }),
    ("aten.mul", |call| {
        both(call, Dispatch::float_mul, |a, b| a * b)
    }),
    ("aten.div", divide),
    ("aten.pow", |call| power(call)),
    ("aten.maximum", |call| both(call, larger, f64::max)),
    ("aten.minimum", |call| {
        let negative = |x| Dispatch::float_neg(x);
        both(
            call,
            |a, b| negative(larger(negative(a), negative(b))),
            f64::min,
        )
    }),
    ("aten.clamp", clamp),
    ("aten.clip", clamp),
    ("aten.clamp_min", clamp),
    ("aten.clamp_max", clamp),
    ("aten.sqrt", |call| map(call, Dispatch::float_sqrt)),
    ("aten.rsqrt", |call| {
        map(call, |x| Dispatch::float_recip(Dispatch::float_sqrt(x)))
    }),
    ("aten.reciprocal", |call| map(call, Dispatch::float_recip)),
    ("aten.square", |call| {
        map(call, |x| Dispatch::float_mul(x.clone(), x))
    }),
    ("aten.exp", |call| map(call, Dispatch::float_exp)),
    ("aten.log", |call| map(call, Dispatch::float_log)),
    ("aten.abs", |call| map(call, Dispatch::float_abs)),
    ("aten.neg", |call| map(call, Dispatch::float_neg)),
    ("aten.sin", |call| map(call, Dispatch::float_sin)),
    ("aten.cos", |call| map(call, Dispatch::float_cos)),
    ("aten.erf", |call| map(call, Dispatch::float_erf)),
    ("aten.floor", |call| map(call, Dispatch::float_floor)),
    ("aten.addcmul", addcmul),
    ("_operator.add", |call| of_sizes(call, i64::checked_add)),
    ("_operator.sub", |call| of_sizes(call, i64::checked_sub)),
    ("_operator.mul", |call| of_sizes(call, i64::checked_mul)),
    ("_operator.floordiv", |call| of_sizes(call, floored)),
    ("_operator.mod", |call| {
        of_sizes(call, i64::checked_rem_euclid)
    }),
    ("_operator.pow", |call| {
        of_sizes(call, |a, b| a.checked_pow(b.try_into().ok()?))
    }),
    ("_operator.neg", |call| match call.first() {
        Some(Value::Int(size)) => Ok(Value::Int(size.saturating_neg())),
        _ => refused("it is given no size"),
    }),
];

/// The first argument, which is called `self` or `input`.
pub(super) fn subject(call: &mut Call) -> Result<Floats> {
    match call.first().and_then(Value::tensor) {
        Some(tensor) => Ok(tensor),
        None => refused("its first argument is not a tensor of floats"),
    }
}

pub(super) fn map(call: &mut Call, of: impl Fn(Floats) -> Floats) -> Result<Value> {
    Ok(Value::Tensor(of(subject(call)?)))
}

/// A tensor in the numbers of another: parameters are float32, whatever the maps are.
pub(in crate::network::pt2) fn like(tensor: Floats, other: &Floats) -> Floats {
    if tensor.dtype() == other.dtype() {
        return tensor;
    }
    let dtype = match other.dtype() {
        DType::F16 => FloatDType::F16,
        DType::BF16 => FloatDType::BF16,
        DType::F64 => FloatDType::F64,
        _ => FloatDType::F32,
    };
    Dispatch::float_cast(tensor, dtype)
}

/// Two tensors with as many axes, those that are missing in front, in the numbers of the one that has fewer bits.
pub(super) fn aligned(a: Floats, b: Floats) -> (Floats, Floats) {
    let (a, b) = match a.dtype() {
        DType::F32 | DType::F64 => (like(a, &b), b),
        _ => {
            let b = like(b, &a);
            (a, b)
        }
    };
    let rank = sizes(&a).len().max(sizes(&b).len());
    let extended = |tensor: Floats| {
        let own = sizes(&tensor);
        if own.len() == rank {
            return tensor;
        }
        let all = [vec![1; rank - own.len()], own].concat();
        Dispatch::float_reshape(tensor, shape(&all))
    };
    (extended(a), extended(b))
}

/// Two tensors as [`aligned`] makes them, whose sizes go together.
pub(super) fn together(a: Floats, b: Floats, most: Most) -> Result<(Floats, Floats)> {
    let (a, b) = aligned(a, b);
    most.check(&broadcast(&sizes(&a), &sizes(&b))?)?;
    Ok((a, b))
}

/// The sizes that two lists of as many sizes become together.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let sizes = a.iter().zip(b).map(|sizes| match sizes {
        (1, size) | (size, 1) => Ok(*size),
        (a, b) if a == b => Ok(*a),
        _ => refused(format!("{a:?} and {b:?} do not go together")),
    });
    sizes.collect()
}

/// A tensor with all values a number, which every shape goes with.
pub(super) fn full(value: f64, like: &Floats) -> Floats {
    let ones = vec![1; sizes(like).len()];
    let zeros = Dispatch::float_zeros(shape(&ones), &like.device(), FloatDType::F32);
    let tensor = Dispatch::float_add_scalar(zeros, value.into());
    self::like(tensor, like)
}

/// Of a tensor and a tensor, a tensor and a number, a number and a tensor, or two numbers.
fn of_both(
    a: Value,
    b: Value,
    most: Most,
    tensors: impl Fn(Floats, Floats) -> Floats,
    numbers: impl Fn(f64, f64) -> f64,
) -> Result<Value> {
    let (a, b) = match (a, b) {
        (Value::Tensor(a), Value::Tensor(b)) => (a, b),
        (Value::Tensor(a), b) => match b.float() {
            Some(number) => {
                let b = full(number, &a);
                (a, b)
            }
            None => return refused("it is given no number"),
        },
        (a, Value::Tensor(b)) => match a.float() {
            Some(number) => (full(number, &b), b),
            None => return refused("it is given no number"),
        },
        (Value::Int(a), Value::Int(b)) => {
            #[expect(clippy::cast_possible_truncation, reason = "sizes")]
            return Ok(Value::Int(numbers(a as f64, b as f64) as i64));
        }
        (a, b) => match (a.float(), b.float()) {
            (Some(a), Some(b)) => return Ok(Value::Float(numbers(a, b))),
            _ => return refused("it is given neither tensors of floats nor numbers"),
        },
    };
    let (a, b) = together(a, b, most)?;
    Ok(Value::Tensor(tensors(a, b)))
}

pub(super) fn operands(call: &mut Call) -> Result<(Value, Value)> {
    match (call.take("self"), call.take("other")) {
        (Some(a), Some(b)) => Ok((a.floats(), b.floats())),
        _ => refused("it lacks an argument"),
    }
}

pub(super) fn both(
    call: &mut Call,
    tensors: impl Fn(Floats, Floats) -> Floats,
    numbers: impl Fn(f64, f64) -> f64,
) -> Result<Value> {
    let (a, b) = operands(call)?;
    of_both(a, b, call.most, tensors, numbers)
}

/// Where the second operand is multiplied by `alpha` first.
fn scaled(
    call: &mut Call,
    tensors: impl Fn(Floats, Floats) -> Floats,
    numbers: impl Fn(f64, f64) -> f64,
) -> Result<Value> {
    let alpha = call.float("alpha", 1.0)?;
    let (a, mut b) = operands(call)?;
    #[expect(clippy::float_cmp, reason = "it was left out")]
    if alpha != 1.0 {
        let times = Dispatch::float_mul;
        b = of_both(b, Value::Float(alpha), call.most, times, |b, alpha| {
            b * alpha
        })?;
    }
    of_both(a, b, call.most, tensors, numbers)
}

fn divide(call: &mut Call) -> Result<Value> {
    let rounding = call.text("rounding_mode");
    let quotient = both(call, Dispatch::float_div, |a, b| a / b)?;
    match (rounding.as_deref(), quotient) {
        (None, quotient) => Ok(quotient),
        (Some("floor"), Value::Tensor(quotient)) => {
            Ok(Value::Tensor(Dispatch::float_floor(quotient)))
        }
        (Some("trunc"), Value::Tensor(quotient)) => {
            Ok(Value::Tensor(Dispatch::float_trunc(quotient)))
        }
        (Some(other), _) => refused(format!("its rounding mode {other:?} is not known")),
    }
}

fn power(call: &mut Call) -> Result<Value> {
    let (Some(base), Some(exponent)) = (call.take("self"), call.take("exponent")) else {
        return refused("it lacks an argument");
    };
    match (base, exponent.float()) {
        (Value::Tensor(base), Some(exponent)) => Ok(Value::Tensor(Dispatch::float_powf_scalar(
            base,
            exponent.into(),
        ))),
        (base, _) => of_both(base, exponent, call.most, Dispatch::float_powf, f64::powf),
    }
}

/// Two tensors whose sizes go together, in the sizes that they have together.
pub(super) fn wide(a: Floats, b: Floats) -> (Floats, Floats) {
    let (a_sizes, b_sizes) = (sizes(&a), sizes(&b));
    let sizes: Vec<usize> = a_sizes
        .iter()
        .zip(&b_sizes)
        .map(|(a, b)| *a.max(b))
        .collect();
    let wide = |tensor| Dispatch::float_expand(tensor, shape(&sizes));
    (wide(a), wide(b))
}

fn larger(a: Floats, b: Floats) -> Floats {
    // a + max(b - a, 0) would round.
    let (a, b) = wide(a, b);
    let is_larger = Dispatch::float_greater(b.clone(), a.clone(), burn::tensor::BoolDType::Native);
    Dispatch::float_mask_where(a, is_larger, b)
}

fn clamp(call: &mut Call) -> Result<Value> {
    let (low, high) = (call.optional_float("min")?, call.optional_float("max")?);
    map(call, |mut x| {
        if let Some(low) = low {
            x = Dispatch::float_clamp_min(x, low.into());
        }
        match high {
            Some(high) => Dispatch::float_clamp_max(x, high.into()),
            None => x,
        }
    })
}

/// `self + value · tensor1 · tensor2`
fn addcmul(call: &mut Call) -> Result<Value> {
    let value = call.float("value", 1.0)?;
    let (one, two) = together(call.tensor("tensor1")?, call.tensor("tensor2")?, call.most)?;
    let product = Dispatch::float_mul_scalar(Dispatch::float_mul(one, two), value.into());
    let (x, product) = together(call.tensor("self")?, product, call.most)?;
    Ok(Value::Tensor(Dispatch::float_add(x, product)))
}

/// Arithmetic of sizes, whose arguments are called `a` and `b` or have no names.
fn of_sizes(call: &mut Call, of: impl Fn(i64, i64) -> Option<i64>) -> Result<Value> {
    let first = call.first().and_then(|value| value.int());
    let second = call.rest().next().and_then(Value::int);
    match (first, second) {
        (Some(a), Some(b)) => match of(a, b) {
            Some(size) => Ok(Value::Int(size)),
            None => refused(format!("the result of {a} and {b} is no size")),
        },
        _ => refused("it is not given two sizes"),
    }
}

fn floored(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    let is_below = a % b != 0 && (a < 0) != (b < 0);
    Some(quotient - i64::from(is_below))
}
