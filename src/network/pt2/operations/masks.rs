//! Comparisons, masks, and tensors that a graph fills itself. What is true is 1, what is false 0.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::backend::tensor::BoolTensor;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{BoolDType, FloatDType, TensorData};

use super::Table;
use super::arithmetic::{both, full, map, operands, together, wide};
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
    ("aten.logical_not", |call| map(call, negated)),
    ("aten.bitwise_not", |call| map(call, negated)),
    ("aten.logical_and", conjunction),
    ("aten.__and__", conjunction),
    ("aten.where", choice),
    ("aten.masked_fill", masked_fill),
    ("aten.fill", |call| filled_like(call, None)),
    ("aten.zero", |call| filled_like(call, Some(0.0))),
    ("aten.copy", copy),
    ("aten.zeros_like", |call| filled_like(call, Some(0.0))),
    ("aten.ones_like", |call| filled_like(call, Some(1.0))),
    ("aten.full_like", |call| filled_like(call, None)),
    ("aten.zeros", |call| filled(call, Some(0.0))),
    ("aten.ones", |call| filled(call, Some(1.0))),
    ("aten.full", |call| filled(call, None)),
    ("aten.new_zeros", |call| filled(call, Some(0.0))),
    ("aten.new_ones", |call| filled(call, Some(1.0))),
    ("aten.new_full", |call| filled(call, None)),
    ("aten.arange", arange),
    ("aten.cumsum", cumsum),
];

fn compared(
    call: &mut Call,
    of: impl Fn(Floats, Floats, BoolDType) -> BoolTensor<Dispatch>,
) -> Result<Value> {
    let tensors = |a, b| {
        let (a, b) = wide(a, b);
        Dispatch::bool_into_float(of(a, b, BoolDType::Native), FloatDType::F32)
    };
    match both(call, tensors, |_, _| f64::NAN)? {
        tensor @ Value::Tensor(_) => Ok(tensor),
        _ => refused("it compares two numbers"),
    }
}

fn is_true(mask: Floats) -> BoolTensor<Dispatch> {
    Dispatch::float_not_equal_elem(mask, 0.0.into(), BoolDType::Native)
}

/// 1 where a value is not 0.
pub(super) fn truth(x: Floats) -> Floats {
    Dispatch::bool_into_float(is_true(x), FloatDType::F32)
}

fn conjunction(call: &mut Call) -> Result<Value> {
    both(
        call,
        |a, b| Dispatch::float_mul(truth(a), truth(b)),
        |_, _| f64::NAN,
    )
}

fn negated(mask: Floats) -> Floats {
    let is_false = Dispatch::float_equal_elem(mask, 0.0.into(), BoolDType::Native);
    Dispatch::bool_into_float(is_false, FloatDType::F32)
}

/// `a` where the mask is true, else `b`.
fn chosen(call: &Call, mask: Floats, a: Value, b: Value) -> Result<Value> {
    let tensor = |value: Value| match (value.float(), value.tensor()) {
        (Some(number), _) => Ok(full(number, &mask)),
        (None, Some(tensor)) => Ok(tensor),
        _ => refused("it chooses from what is neither a tensor nor a number"),
    };
    let (a, b) = together(tensor(a)?, tensor(b)?, call.most)?;
    let (mask, a) = together(mask, a, call.most)?;
    let (mask, a) = wide(mask, a);
    let (a, b) = together(a, b, call.most)?;
    let (a, b) = wide(a, b);
    let (mask, a) = wide(mask, a);
    Ok(Value::Tensor(Dispatch::float_mask_where(
        b,
        is_true(mask),
        a,
    )))
}

fn choice(call: &mut Call) -> Result<Value> {
    let mask = call.tensor("condition")?;
    let (a, b) = operands(call)?;
    chosen(call, mask, a, b)
}

fn masked_fill(call: &mut Call) -> Result<Value> {
    let (mask, x) = (call.tensor("mask")?, call.tensor("self")?);
    match call.take("value") {
        Some(value) => chosen(call, mask, value, Value::Tensor(x)),
        None => refused("it lacks its argument `value`"),
    }
}

/// What the other tensor is, in the sizes of the one that it is copied to.
fn copy(call: &mut Call) -> Result<Value> {
    let (source, x) = (call.tensor("src")?, call.tensor("self")?);
    let (source, x) = together(source, x, call.most)?;
    let all = sizes(&x);
    let (source, _) = wide(source, x);
    if sizes(&source) != all {
        return refused(format!("{:?} is copied to {all:?}", sizes(&source)));
    }
    Ok(Value::Tensor(source))
}

/// What a tensor is filled with, a number or a tensor of one.
fn filling(call: &mut Call, known: Option<f64>) -> Result<Value> {
    if let Some(known) = known {
        return Ok(Value::Float(known));
    }
    let given = call.take("fill_value").or_else(|| call.take("value"));
    match given.map(Value::floats) {
        Some(value) => Ok(value),
        None => refused("it lacks its argument `value`"),
    }
}

fn filled_like(call: &mut Call, known: Option<f64>) -> Result<Value> {
    let x = call.tensor("self")?;
    let filling = match filling(call, known)? {
        Value::Tensor(one) => together(one, x.clone(), call.most)?.0,
        value => match value.float() {
            Some(number) => full(number, &x),
            None => return refused("it is filled with no number"),
        },
    };
    Ok(Value::Tensor(Dispatch::float_expand(filling, x.shape())))
}

fn filled(call: &mut Call, known: Option<f64>) -> Result<Value> {
    let Some(number) = filling(call, known)?.float() else {
        return refused("it is filled with no number");
    };
    let all = call.ints("size")?.unwrap_or_default();
    let all: Option<Vec<usize>> = all.into_iter().map(|size| size.try_into().ok()).collect();
    let Some(all) = all else {
        return refused("a size is below 0");
    };
    call.most.check(&all)?;
    let one = shape(&vec![1; all.len()]);
    let zero = Dispatch::float_zeros(one, &call.device, FloatDType::F32);
    let one = Dispatch::float_add_scalar(zero, number.into());
    Ok(Value::Tensor(Dispatch::float_expand(one, shape(&all))))
}

/// From `start` up to `end`, which is not reached.
fn arange(call: &mut Call) -> Result<Value> {
    let (start, step) = (call.float("start", 0.0)?, call.float("step", 1.0)?);
    let count = ((call.needed_float("end")? - start) / step).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked"
    )]
    let count = if (0.0..1e9).contains(&count) {
        count as usize
    } else {
        usize::MAX
    };
    call.most.check(&[count])?;
    #[expect(clippy::cast_possible_truncation, reason = "few")]
    let all = (0..count)
        .map(|at| (start + step * at as f64) as f32)
        .collect();
    let all = TensorData::new(all, [count]);
    Ok(Value::Tensor(Dispatch::float_from_data(all, &call.device)))
}

fn cumsum(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", 0, sizes(&x).len())?;
    Ok(Value::Tensor(Dispatch::float_cumsum(x, axis)))
}
