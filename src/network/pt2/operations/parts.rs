//! Parts of a value.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Slice;

use super::Table;
use crate::network::pt2::value::{Call, Floats, Result, Value, axis_of, refused, shape, sizes};

/// No network takes a value into more.
const MOST_PARTS: usize = 1 << 14;

pub(super) const TABLE: Table = &[
    ("aten.select", select),
    ("aten.slice", slice),
    ("aten.narrow", narrow),
    ("aten.split", split),
    ("aten.split_with_sizes", split),
    ("aten.chunk", chunk),
    ("aten.unbind", unbind),
    ("_operator.getitem", getitem),
];

/// A place along an axis, counted from the end where it is below 0, and cut to it.
fn place(at: i64, size: usize) -> usize {
    let own = i64::try_from(size).unwrap_or(i64::MAX);
    let from_start = if at < 0 { at.saturating_add(own) } else { at };
    usize::try_from(from_start.clamp(0, own)).unwrap_or_default()
}

/// Every `step`th place from `start` up to `end` along an axis.
fn part(x: Floats, axis: usize, start: usize, end: usize, step: usize) -> Floats {
    let own = sizes(&x);
    let slices = own.iter().enumerate().map(|(at, size)| {
        let (from, to, by) = if at == axis {
            (start, end.max(start), step)
        } else {
            (0, *size, 1)
        };
        let signed = |place: usize| isize::try_from(place).unwrap_or(isize::MAX);
        Slice::new(signed(from), Some(signed(to)), signed(by))
    });
    Dispatch::float_slice(x, &slices.collect::<Vec<_>>())
}

fn select(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let axis = call.axis("dim", 0, own.len())?;
    let at = axis_of(call.needed_int("index")?, own[axis])?;
    let mut left = own;
    left.remove(axis);
    let x = part(x, axis, at, at + 1, 1);
    Ok(Value::Tensor(Dispatch::float_reshape(x, shape(&left))))
}

fn slice(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let axis = call.axis("dim", 0, own.len())?;
    let start = place(call.int("start", 0)?, own[axis]);
    let end = place(call.int("end", i64::MAX)?, own[axis]);
    match usize::try_from(call.int("step", 1)?) {
        Ok(step) if step > 0 => Ok(Value::Tensor(part(x, axis, start, end, step))),
        _ => refused("its step is below 1"),
    }
}

fn narrow(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let axis = call.axis("dim", 0, own.len())?;
    let (start, length) = (call.needed_int("start")?, call.needed_int("length")?);
    let start = place(start, own[axis]);
    let end = place(
        i64::try_from(start)
            .unwrap_or(i64::MAX)
            .saturating_add(length),
        own[axis],
    );
    Ok(Value::Tensor(part(x, axis, start, end, 1)))
}

/// Parts of these sizes along an axis.
fn parts(x: &Floats, axis: usize, each: impl IntoIterator<Item = usize>) -> Result<Value> {
    let size = sizes(x)[axis];
    let mut start = 0_usize;
    let mut parts = Vec::new();
    for length in each {
        let end = start.saturating_add(length);
        if end > size || parts.len() == MOST_PARTS {
            return refused(format!(
                "parts up to {end} are beyond its size, {size}, or more than {MOST_PARTS}"
            ));
        }
        parts.push(Value::Tensor(part(x.clone(), axis, start, end, 1)));
        start = end;
    }
    Ok(Value::List(parts))
}

/// Parts of one length, the last of which may be shorter.
fn of_length(size: usize, length: usize) -> impl Iterator<Item = usize> {
    (0..size)
        .step_by(length.max(1))
        .map(move |start| length.min(size - start))
}

fn split(call: &mut Call) -> Result<Value> {
    let lengths = call.take("split_size").or_else(|| call.take("split_sizes"));
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let axis = call.axis("dim", 0, own.len())?;
    let size = |value: &Value| value.int().and_then(|size| usize::try_from(size).ok());
    match lengths {
        Some(Value::List(all)) => match all.iter().map(size).collect::<Option<Vec<_>>>() {
            Some(all) => parts(&x, axis, all),
            None => refused("its sizes are no sizes"),
        },
        Some(one) => match size(&one) {
            Some(length) => parts(&x, axis, of_length(own[axis], length)),
            None => refused("its size is no size"),
        },
        None => refused("it lacks its argument `split_size`"),
    }
}

fn chunk(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let axis = call.axis("dim", 0, own.len())?;
    match usize::try_from(call.needed_int("chunks")?) {
        Ok(count) if count > 0 => parts(&x, axis, of_length(own[axis], own[axis].div_ceil(count))),
        _ => refused("it makes no part"),
    }
}

fn unbind(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let axis = call.axis("dim", 0, own.len())?;
    let mut left = own.clone();
    if own.is_empty() || own[axis] > MOST_PARTS {
        return refused(format!("{own:?} is not taken apart"));
    }
    left.remove(axis);
    let each = (0..own[axis]).map(|at| {
        let one = part(x.clone(), axis, at, at + 1, 1);
        Value::Tensor(Dispatch::float_reshape(one, shape(&left)))
    });
    Ok(Value::List(each.collect()))
}

fn getitem(call: &mut Call) -> Result<Value> {
    let at = call.rest().next().and_then(Value::int);
    let Some(Value::List(all)) = call.first() else {
        return refused("it is given no list");
    };
    let at = axis_of(at.unwrap_or_default(), all.len())?;
    match all.into_iter().nth(at) {
        Some(value) => Ok(value),
        None => refused(format!("there is no value {at}")),
    }
}
