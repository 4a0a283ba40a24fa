//! Comparisons, masks, and tensors that a graph fills itself. What is true is 1, what is false 0.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::backend::tensor::BoolTensor;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{BoolDType, FloatDType, TensorData};

use super::Table;
use super::arithmetic::{Comparison, both, map, operands, tensor_or_number, together, wide};
use crate::network::pt2::value::{Call, Floats, Result, Value, refused, shape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.eq", |call| compared(call, Dispatch::float_equal)),
    ("aten.ne", |call| compared(call, Dispatch::float_not_equal)),
    ("aten.gt", |call| compared(call, Dispatch::float_greater)),
    ("aten.ge", |call| {
        compared(call, Dispatch::float_greater_equal)
    }),
    ("aten.lt", |call| compared(call, Dispatch::float_lower)),
    ("aten.le", |call| {
        compared(call, Dispatch::float_lower_equal)
    }),
    ("aten.logical_not aten.bitwise_not", |call| {
        map(call, negated)
    }),
    ("aten.logical_and aten.__and__", conjunction),
    ("aten.where", choice),
    ("aten.masked_fill", masked_fill),
    ("aten.copy", copy),
    ("aten.fill aten.full_like", |call| filled_like(call, None)),
    ("aten.zero aten.zeros_like", |call| {
        filled_like(call, Some(0.0))
    }),
    ("aten.ones_like", |call| filled_like(call, Some(1.0))),
    ("aten.full aten.new_full", |call| filled(call, None)),
    ("aten.zeros aten.new_zeros", |call| filled(call, Some(0.0))),
    ("aten.ones aten.new_ones", |call| filled(call, Some(1.0))),
    ("aten.arange", arange),
    ("aten.cumsum", cumsum),
];

fn as_floats(mask: BoolTensor<Dispatch>) -> Floats {
    Dispatch::bool_into_float(mask, FloatDType::F32)
}

fn compared(call: &mut Call, of: Comparison) -> Result<Value> {
    let (a, b) = operands(call)?;
    let (a, b) = wide(a, b, call.most)?;
    Ok(Value::Tensor(as_floats(of(a, b, BoolDType::Native))))
}

fn is_true(mask: Floats) -> BoolTensor<Dispatch> {
    Dispatch::float_not_equal_elem(mask, 0.0.into(), BoolDType::Native)
}

/// 1 where a value is not 0.
pub(super) fn truth(x: Floats) -> Floats {
    as_floats(is_true(x))
}

fn conjunction(call: &mut Call) -> Result<Value> {
    both(call, |a, b| Dispatch::float_mul(truth(a), truth(b)))
}

fn negated(mask: Floats) -> Floats {
    as_floats(Dispatch::float_equal_elem(
        mask,
        0.0.into(),
        BoolDType::Native,
    ))
}

/// `a` where the mask is true, else `b`.
fn chosen(call: &Call, mask: Floats, a: Value, b: Value) -> Result<Value> {
    let (a, b) = (tensor_or_number(a, &mask)?, tensor_or_number(b, &mask)?);
    let (mask, a) = wide(mask, a, call.most)?;
    let (a, b) = wide(a, b, call.most)?;
    let (mask, a) = wide(mask, a, call.most)?;
    let chosen = Dispatch::float_mask_where(b, is_true(mask), a);
    Ok(Value::Tensor(chosen))
}

fn choice(call: &mut Call) -> Result<Value> {
    let mask = call.subject()?;
    match (call.take("self"), call.take("other")) {
        (Some(a), Some(b)) => chosen(call, mask, a, b),
        _ => refused("it lacks an argument"),
    }
}

fn masked_fill(call: &mut Call) -> Result<Value> {
    let (mask, x) = (call.tensor("mask")?, call.subject()?);
    match call.take("value") {
        Some(value) => chosen(call, mask, value, Value::Tensor(x)),
        None => refused("it lacks its argument `value`"),
    }
}

/// What the other tensor is, in the sizes of the one that it is copied to.
fn copy(call: &mut Call) -> Result<Value> {
    let (source, x) = (call.tensor("src")?, call.subject()?);
    let all = sizes(&x);
    let (source, _) = wide(source, x, call.most)?;
    if sizes(&source) != all {
        return refused(format!("{:?} is copied to {all:?}", sizes(&source)));
    }
    Ok(Value::Tensor(source))
}

/// What a tensor is filled with, a number or a tensor of one.
fn filling(call: &mut Call, known: Option<f64>) -> Result<Value> {
    let known = known.map(Value::Float);
    let given = known.or_else(|| call.take("fill_value").or_else(|| call.take("value")));
    match given {
        Some(value) => Ok(value),
        None => refused("it lacks its argument `value`"),
    }
}

fn filled_like(call: &mut Call, known: Option<f64>) -> Result<Value> {
    let x = call.subject()?;
    let one = tensor_or_number(filling(call, known)?, &x)?;
    let (one, x) = together(one, x, call.most)?;
    Ok(Value::Tensor(Dispatch::float_expand(one, x.shape())))
}

fn filled(call: &mut Call, known: Option<f64>) -> Result<Value> {
    let Some(number) = filling(call, known)?.float() else {
        return refused("it is filled with no number");
    };
    let all = call.ints("size")?.unwrap_or_default().into_iter();
    let Some(all) = all
        .map(|size| size.try_into().ok())
        .collect::<Option<Vec<_>>>()
    else {
        return refused("a size is below 0");
    };
    call.most.check(&all)?;
    let ones = shape(&vec![1; all.len()]);
    let zero = Dispatch::float_zeros(ones, &call.device, FloatDType::F32);
    let one = Dispatch::float_add_scalar(zero, number.into());
    Ok(Value::Tensor(Dispatch::float_expand(one, shape(&all))))
}

/// From `start` up to `end`, which is not reached.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that is checked"
)]
fn arange(call: &mut Call) -> Result<Value> {
    let (start, step) = (call.float("start", 0.0)?, call.float("step", 1.0)?);
    let Some(end) = call.optional_float("end")? else {
        return refused("it lacks its argument `end`");
    };
    let count = ((end - start) / step).ceil();
    if !(0.0..1e9).contains(&count) {
        return refused(format!("it counts from {start} to {end} by {step}"));
    }
    let count = count as usize;
    call.most.check(&[count])?;
    let all = (0..count).map(|at| (start + step * at as f64) as f32);
    let all = TensorData::new(all.collect(), [count]);
    Ok(Value::Tensor(Dispatch::float_from_data(all, &call.device)))
}

fn cumsum(call: &mut Call) -> Result<Value> {
    let (x, own) = call.sized()?;
    let axis = call.axis("dim", 0, own.len())?;
    Ok(Value::Tensor(Dispatch::float_cumsum(x, axis)))
}
