//! The same values in another shape.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;

use super::Table;
use super::arithmetic::extended;
use super::masks::truth;
use crate::network::pt2::value::{Call, Result, Value, refused, reshape, shape, sizes};

pub(super) const TABLE: Table = &[
    (
        "aten.view aten.reshape aten._unsafe_view aten.view_as aten.reshape_as",
        view,
    ),
    ("aten.flatten", flatten),
    ("aten.unflatten", unflatten),
    ("aten.permute", permute),
    (
        "aten.transpose aten.swapaxes aten.t aten.numpy_T",
        transpose,
    ),
    ("aten.movedim", movedim),
    ("aten.squeeze", squeeze),
    ("aten.unsqueeze", unsqueeze),
    ("aten.expand aten.expand_as", expand),
    ("aten.repeat", repeat),
    (
        "aten.contiguous aten.clone aten.alias aten.detach aten.type_as aten.lift_fresh_copy",
        same,
    ),
    ("aten.to aten._to_copy", converted),
    (
        "aten.dropout aten.feature_dropout aten.alpha_dropout",
        dropout,
    ),
    ("aten.sym_size", sym_size),
];

fn same(call: &mut Call) -> Result<Value> {
    match call.first() {
        Some(value) => Ok(value),
        None => refused("it is given nothing"),
    }
}

/// What a network does with numbers of another type it does here with those that it has; whole numbers are whole, and
/// truth values 1 and 0. The numbers of types: `ScalarType` in `torch/_export/serde/schema.py`.
fn converted(call: &mut Call) -> Result<Value> {
    let dtype = call.int("dtype", 6)?;
    Ok(match (same(call)?, dtype) {
        (Value::Tensor(x), 1..=5) => Value::Tensor(Dispatch::float_trunc(x)),
        (Value::Tensor(x), 12) => Value::Tensor(truth(x)),
        (value, _) => value,
    })
}

/// Nothing, but in a training.
fn dropout(call: &mut Call) -> Result<Value> {
    if call.bool("train", false)? {
        return refused("it drops values at random: export the network after .eval()");
    }
    same(call)
}

/// The sizes that are asked for, those of another tensor where there is one.
fn wanted(call: &mut Call) -> Result<Vec<i64>> {
    if let Some(other) = call.optional_tensor("other")? {
        let sizes = sizes(&other).into_iter();
        return Ok(sizes
            .map(|size| size.try_into().unwrap_or(i64::MAX))
            .collect());
    }
    match call.ints("shape")? {
        Some(sizes) => Ok(sizes),
        None => call.needed_ints("size"),
    }
}

/// Sizes of which one may be -1: what is left.
fn filled(sizes: &[i64], count: usize) -> Result<Vec<usize>> {
    let mut known = sizes.iter().filter(|size| **size >= 0);
    let known = known.try_fold(1_usize, |product, size| {
        product.checked_mul(usize::try_from(*size).ok()?)
    });
    let open = sizes.iter().filter(|size| **size < 0).count();
    let (Some(known), true) = (known, open <= 1) else {
        return refused(format!("{sizes:?} are no sizes"));
    };
    let rest = count.checked_div(known).unwrap_or(0);
    if open == 0 && known != count || open == 1 && known * rest != count {
        return refused(format!("{count} values have not the shape {sizes:?}"));
    }
    let size = |size: &i64| usize::try_from(*size).unwrap_or(rest);
    Ok(sizes.iter().map(size).collect())
}

fn view(call: &mut Call) -> Result<Value> {
    let wanted = wanted(call)?;
    let x = call.subject()?;
    let wanted = filled(&wanted, sizes(&x).iter().product())?;
    Ok(Value::Tensor(reshape(x, &wanted)))
}

fn flatten(call: &mut Call) -> Result<Value> {
    let (x, own) = call.sized()?;
    let first = call.axis("start_dim", 0, own.len())?;
    let last = call.axis("end_dim", -1, own.len())?;
    if own.is_empty() {
        return Ok(Value::Tensor(reshape(x, &[1])));
    }
    if first > last {
        return refused(format!("axes {first} to {last} are none"));
    }
    let together = own[first..=last].iter().product();
    let all = [&own[..first], &[together], &own[last + 1..]].concat();
    Ok(Value::Tensor(reshape(x, &all)))
}

fn unflatten(call: &mut Call) -> Result<Value> {
    let (x, own) = call.sized()?;
    let axis = call.axis("dim", 0, own.len())?;
    let size = own.get(axis).copied().unwrap_or(1);
    let parts = filled(&call.needed_ints("sizes")?, size)?;
    let behind = own.get(axis + 1..).unwrap_or_default();
    let all = [&own[..axis], &parts[..], behind].concat();
    Ok(Value::Tensor(reshape(x, &all)))
}

/// Puts axes into an order, which has to have each of them once.
fn reordered(call: &mut Call, order: &[usize]) -> Result<Value> {
    let x = call.subject()?;
    let rank = sizes(&x).len();
    let mut all = order.to_vec();
    all.sort_unstable();
    if all != (0..rank).collect::<Vec<_>>() {
        return refused(format!("{order:?} is no order of {rank} axes"));
    }
    Ok(Value::Tensor(Dispatch::float_permute(x, order)))
}

fn permute(call: &mut Call) -> Result<Value> {
    let rank = call.rank();
    let order = call.axes("dims", rank)?.unwrap_or_default();
    reordered(call, &order)
}

fn movedim(call: &mut Call) -> Result<Value> {
    let rank = call.rank();
    let from = call.axes("source", rank)?.unwrap_or_default();
    let to = call.axes("destination", rank)?.unwrap_or_default();
    let mut rest = (0..rank).filter(|axis| !from.contains(axis));
    let order = (0..rank).filter_map(|at| match to.iter().position(|to| *to == at) {
        Some(moved) => from.get(moved).copied(),
        None => rest.next(),
    });
    let order: Vec<usize> = order.collect();
    reordered(call, &order)
}

fn transpose(call: &mut Call) -> Result<Value> {
    let x = call.subject()?;
    let rank = sizes(&x).len();
    let (one, two) = (call.axis("axis0", 0, rank)?, call.axis("axis1", -1, rank)?);
    let signed = |axis: usize| i64::try_from(axis).unwrap_or_default();
    let one = call.axis("dim0", signed(one), rank)?;
    let two = call.axis("dim1", signed(two), rank)?;
    Ok(Value::Tensor(if one == two {
        x
    } else {
        Dispatch::float_swap_dims(x, one, two)
    }))
}

fn squeeze(call: &mut Call) -> Result<Value> {
    let (x, own) = call.sized()?;
    let axes = call.axes("dim", own.len())?;
    let is_in = |axis: &usize| axes.as_ref().is_none_or(|axes| axes.contains(axis));
    let left = own.iter().enumerate();
    let left = left.filter(|(axis, size)| **size != 1 || !is_in(axis));
    let left: Vec<usize> = left.map(|(_, size)| *size).collect();
    Ok(Value::Tensor(reshape(x, &left)))
}

fn unsqueeze(call: &mut Call) -> Result<Value> {
    let (x, mut own) = call.sized()?;
    let axis = call.axis("dim", 0, own.len() + 1)?;
    own.insert(axis, 1);
    Ok(Value::Tensor(reshape(x, &own)))
}

/// Where a size is -1 it stays; axes in front are new.
fn expand(call: &mut Call) -> Result<Value> {
    let wanted = wanted(call)?;
    let x = extended(call.subject()?, wanted.len());
    let own = sizes(&x);
    if own.len() > wanted.len() {
        return refused(format!("{own:?} cannot be expanded to {wanted:?}"));
    }
    let all = own.iter().zip(&wanted).map(|(own, wanted)| match wanted {
        -1 => Ok(*own),
        wanted => match usize::try_from(*wanted) {
            Ok(wanted) if wanted == *own || *own == 1 => Ok(wanted),
            _ => refused(format!("a size of {own} cannot be expanded to {wanted}")),
        },
    });
    let all: Vec<usize> = all.collect::<Result<_>>()?;
    call.most.check(&all)?;
    Ok(Value::Tensor(Dispatch::float_expand(x, shape(&all))))
}

fn repeat(call: &mut Call) -> Result<Value> {
    let times = call.needed_ints("repeats")?.into_iter();
    let Some(times) = times
        .map(|times| usize::try_from(times).ok().filter(|times| *times > 0))
        .collect::<Option<Vec<_>>>()
    else {
        return refused("it is repeated less than once");
    };
    let mut x = extended(call.subject()?, times.len());
    let own = sizes(&x);
    if own.len() > times.len() {
        return refused(format!("{own:?} cannot be repeated {times:?} times"));
    }
    let grown = own
        .iter()
        .zip(&times)
        .map(|(size, times)| size.saturating_mul(*times));
    call.most.check(&grown.collect::<Vec<_>>())?;
    for (axis, times) in times
        .into_iter()
        .enumerate()
        .filter(|(_, times)| *times > 1)
    {
        x = Dispatch::float_repeat_dim(x, axis, times);
    }
    Ok(Value::Tensor(x))
}

fn sym_size(call: &mut Call) -> Result<Value> {
    let own = sizes(&call.subject()?);
    let axis = call.axis("dim", 0, own.len())?;
    let size = own.get(axis).copied().unwrap_or(1);
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}
