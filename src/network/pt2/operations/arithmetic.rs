//! Arithmetic, value by value, with tensors of other shapes and with numbers; and that of sizes.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::BoolTensor;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{BoolDType, DType, FloatDType};

use super::Table;
use crate::network::pt2::size::floored;
use crate::network::pt2::value::{
    Call, Floats, Most, Result, Value, refused, reshape, shape, sizes,
};

pub(super) const TABLE: Table = &[
    ("aten.add", |call| scaled(call, Dispatch::float_add)),
    ("aten.sub", |call| scaled(call, Dispatch::float_sub)),
    ("aten.rsub", |call| {
        scaled(call, |a, b| Dispatch::float_sub(b, a))
    }),
    ("aten.mul", |call| both(call, Dispatch::float_mul)),
    ("aten.div", divide),
    ("aten.pow", power),
    ("aten.maximum", |call| {
        extreme(call, Dispatch::float_greater)
    }),
    ("aten.minimum", |call| extreme(call, Dispatch::float_lower)),
    ("aten.clamp aten.clip aten.clamp_min aten.clamp_max", clamp),
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

pub(super) fn map(call: &mut Call, of: impl Fn(Floats) -> Floats) -> Result<Value> {
    Ok(Value::Tensor(of(call.subject()?)))
}

/// A tensor in the numbers of another: parameters are float32, whatever the maps are.
pub(in crate::network::pt2) fn like(tensor: Floats, other: &Floats) -> Floats {
    cast(tensor, other.dtype())
}

pub(super) fn cast(tensor: Floats, dtype: DType) -> Floats {
    if tensor.dtype() == dtype {
        return tensor;
    }
    Dispatch::float_cast(tensor, dtype.into())
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
    (extended(a, rank), extended(b, rank))
}

/// A tensor with at least so many axes, the new ones in front.
pub(super) fn extended(tensor: Floats, rank: usize) -> Floats {
    let own = sizes(&tensor);
    match rank.saturating_sub(own.len()) {
        0 => tensor,
        new => reshape(tensor, &[vec![1; new], own].concat()),
    }
}

/// Two tensors as [`aligned`] makes them, whose sizes go together.
pub(super) fn together(a: Floats, b: Floats, most: Most) -> Result<(Floats, Floats)> {
    let (a, b) = aligned(a, b);
    most.check(&broadcast(&sizes(&a), &sizes(&b))?)?;
    Ok((a, b))
}

/// The same, in the sizes that they have together.
pub(super) fn wide(a: Floats, b: Floats, most: Most) -> Result<(Floats, Floats)> {
    let (a, b) = aligned(a, b);
    let sizes = broadcast(&sizes(&a), &sizes(&b))?;
    most.check(&sizes)?;
    let wide = |tensor| Dispatch::float_expand(tensor, shape(&sizes));
    Ok((wide(a), wide(b)))
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

/// A tensor, or one with all values a number, which every shape goes with.
pub(super) fn tensor_or_number(value: Value, other: &Floats) -> Result<Floats> {
    let number = match (value.float(), value) {
        (Some(number), _) => number,
        (None, Value::Tensor(tensor)) => return Ok(tensor),
        _ => return refused("it is given neither a tensor of floats nor a number"),
    };
    let ones = vec![1; sizes(other).len()];
    let zeros = Dispatch::float_zeros(shape(&ones), &other.device(), FloatDType::F32);
    Ok(like(
        Dispatch::float_add_scalar(zeros, number.into()),
        other,
    ))
}

/// `self` and `other`, one of which may be a number.
pub(super) fn operands(call: &mut Call) -> Result<(Floats, Floats)> {
    match (call.take("self"), call.take("other")) {
        (Some(Value::Tensor(a)), Some(b)) => {
            let b = tensor_or_number(b, &a)?;
            Ok((a, b))
        }
        (Some(a), Some(Value::Tensor(b))) => Ok((tensor_or_number(a, &b)?, b)),
        _ => refused("it is not given a tensor of floats and another, or a number"),
    }
}

pub(super) fn both(call: &mut Call, of: impl Fn(Floats, Floats) -> Floats) -> Result<Value> {
    let (a, b) = operands(call)?;
    let (a, b) = together(a, b, call.most)?;
    Ok(Value::Tensor(of(a, b)))
}

/// Where the second operand is multiplied by `alpha` first.
fn scaled(call: &mut Call, of: impl Fn(Floats, Floats) -> Floats) -> Result<Value> {
    let alpha = call.float("alpha", 1.0)?;
    #[expect(clippy::float_cmp, reason = "it was left out")]
    let is_plain = alpha == 1.0;
    both(call, |a, b| {
        let b = if is_plain {
            b
        } else {
            Dispatch::float_mul_scalar(b, alpha.into())
        };
        of(a, b)
    })
}

fn divide(call: &mut Call) -> Result<Value> {
    match call.text("rounding_mode").as_deref() {
        None => both(call, Dispatch::float_div),
        Some("floor") => both(call, |a, b| {
            Dispatch::float_floor(Dispatch::float_div(a, b))
        }),
        Some("trunc") => both(call, |a, b| {
            Dispatch::float_trunc(Dispatch::float_div(a, b))
        }),
        Some(other) => refused(format!("its rounding mode {other:?} is not known")),
    }
}

fn power(call: &mut Call) -> Result<Value> {
    let (Some(base), Some(exponent)) = (call.take("self"), call.take("exponent")) else {
        return refused("it lacks an argument");
    };
    let power = match (base, exponent.float(), exponent) {
        (Value::Tensor(base), Some(exponent), _) => {
            Dispatch::float_powf_scalar(base, exponent.into())
        }
        (base, None, Value::Tensor(exponent)) => {
            let base = tensor_or_number(base, &exponent)?;
            let (base, exponent) = together(base, exponent, call.most)?;
            Dispatch::float_powf(base, exponent)
        }
        _ => return refused("it is given no tensor of floats"),
    };
    Ok(Value::Tensor(power))
}

/// What compares two tensors.
pub(super) type Comparison = fn(Floats, Floats, BoolDType) -> BoolTensor<Dispatch>;

/// The second operand where it is so compared with the first: `a + max(b - a, 0)` would round.
fn extreme(call: &mut Call, is: Comparison) -> Result<Value> {
    let (a, b) = operands(call)?;
    let (a, b) = wide(a, b, call.most)?;
    let is_second = is(b.clone(), a.clone(), BoolDType::Native);
    Ok(Value::Tensor(Dispatch::float_mask_where(a, is_second, b)))
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
    let (x, product) = together(call.subject()?, product, call.most)?;
    Ok(Value::Tensor(Dispatch::float_add(x, product)))
}

/// Arithmetic of sizes, whose arguments are called `a` and `b` or have no names.
fn of_sizes(call: &mut Call, of: impl Fn(i64, i64) -> Option<i64>) -> Result<Value> {
    let first = call.first().and_then(|value| value.int());
    let second = call.second().and_then(Value::int);
    match (first, second) {
        (Some(a), Some(b)) => match of(a, b) {
            Some(size) => Ok(Value::Int(size)),
            None => refused(format!("the result of {a} and {b} is no size")),
        },
        _ => refused("it is not given two sizes"),
    }
}
