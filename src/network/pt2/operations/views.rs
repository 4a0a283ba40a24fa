//! The same values in another shape.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};

use super::Table;
use super::masks::truth;
use crate::network::pt2::value::{Call, Result, Value, axis_of, refused, shape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.view", reshape),
    ("aten.reshape", reshape),
    ("aten._unsafe_view", reshape),
    ("aten.view_as", reshape_as),
    ("aten.reshape_as", reshape_as),
    ("aten.flatten", flatten),
    ("aten.unflatten", unflatten),
    ("aten.permute", permute),
    ("aten.transpose", transpose),
    ("aten.swapaxes", transpose),
    ("aten.t", transpose),
    ("aten.numpy_T", transpose),
    ("aten.movedim", movedim),
    ("aten.squeeze", squeeze),
    ("aten.unsqueeze", unsqueeze),
    ("aten.expand", expand),
    ("aten.expand_as", expand_as),
    ("aten.repeat", repeat),
    ("aten.contiguous", same),
    ("aten.clone", same),
    ("aten.alias", same),
    ("aten.detach", same),
    ("aten.to", converted),
    ("aten._to_copy", converted),
    ("aten.type_as", same),
    ("aten.lift_fresh_copy", same),
    ("aten.dropout", dropout),
    ("aten.feature_dropout", dropout),
    ("aten.alpha_dropout", dropout),
    ("aten.sym_size", sym_size),
];

/// What a network does with numbers of another type it does here with those that it has; whole numbers are whole, and
/// truth values 1 and 0. The numbers of types: `ScalarType` in `torch/_export/serde/schema.py`.
fn converted(call: &mut Call) -> Result<Value> {
    let dtype = call.int("dtype", 6)?;
    match (call.first(), dtype) {
        (Some(Value::Tensor(x)), 1..=5) => Ok(Value::Tensor(Dispatch::float_trunc(x))),
        (Some(Value::Tensor(x)), 12) => Ok(Value::Tensor(truth(x))),
        (Some(value), _) => Ok(value),
        (None, _) => refused("it is given nothing"),
    }
}

fn same(call: &mut Call) -> Result<Value> {
    match call.first() {
        Some(value) => Ok(value),
        None => refused("it is given nothing"),
    }
}

/// Nothing, but in a training.
fn dropout(call: &mut Call) -> Result<Value> {
    if call.bool("train", false)? {
        return refused("it drops values at random: export the network after .eval()");
    }
    same(call)
}

fn sized(value: Value, all: &[usize]) -> Value {
    match value {
        Value::Tensor(x) => Value::Tensor(Dispatch::float_reshape(x, shape(all))),
        Value::Integers(x) => Value::Integers(Dispatch::int_reshape(x, shape(all))),
        other => other,
    }
}

/// A value that has a shape, and the shape.
fn subject(call: &mut Call) -> Result<(Value, Vec<usize>)> {
    use burn::backend::TensorMetadata;
    match call.first() {
        Some(Value::Tensor(x)) => {
            let own = sizes(&x);
            Ok((Value::Tensor(x), own))
        }
        Some(Value::Integers(x)) => {
            let own = x.shape().to_vec();
            Ok((Value::Integers(x), own))
        }
        _ => refused("it is given no tensor"),
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

fn needed(call: &mut Call, names: [&str; 2]) -> Result<Vec<i64>> {
    let first = call.ints(names[0])?;
    match first {
        Some(ints) => Ok(ints),
        None => match call.ints(names[1])? {
            Some(ints) => Ok(ints),
            None => refused(format!("it lacks its argument `{}`", names[0])),
        },
    }
}

fn reshape(call: &mut Call) -> Result<Value> {
    let wanted = needed(call, ["size", "shape"])?;
    let (x, own) = subject(call)?;
    let wanted = filled(&wanted, own.iter().product())?;
    Ok(sized(x, &wanted))
}

fn reshape_as(call: &mut Call) -> Result<Value> {
    let other = call.tensor("other")?;
    let (x, own) = subject(call)?;
    let other = sizes(&other);
    if own.iter().product::<usize>() != other.iter().product::<usize>() {
        return refused(format!("{own:?} has not the shape {other:?}"));
    }
    Ok(sized(x, &other))
}

fn flatten(call: &mut Call) -> Result<Value> {
    let (x, own) = subject(call)?;
    let first = call.axis("start_dim", 0, own.len())?;
    let last = call.axis("end_dim", -1, own.len())?;
    if own.is_empty() {
        return Ok(sized(x, &[1]));
    }
    if first > last {
        return refused(format!("axes {first} to {last} are none"));
    }
    let together = own[first..=last].iter().product();
    let all = [&own[..first], &[together], &own[last + 1..]].concat();
    Ok(sized(x, &all))
}

fn unflatten(call: &mut Call) -> Result<Value> {
    let (x, own) = subject(call)?;
    let axis = call.axis("dim", 0, own.len())?;
    let parts = filled(&needed(call, ["sizes", "sizes"])?, own[axis])?;
    let all = [&own[..axis], &parts[..], &own[axis + 1..]].concat();
    Ok(sized(x, &all))
}

fn permute(call: &mut Call) -> Result<Value> {
    let order = needed(call, ["dims", "dims"])?;
    let x = call.tensor("self")?;
    let rank = sizes(&x).len();
    let order = order.into_iter().map(|axis| axis_of(axis, rank));
    let order: Vec<usize> = order.collect::<Result<_>>()?;
    let mut all = order.clone();
    all.sort_unstable();
    if all != (0..rank).collect::<Vec<_>>() {
        return refused(format!("{order:?} is no order of {rank} axes"));
    }
    Ok(Value::Tensor(Dispatch::float_permute(x, &order)))
}

fn transpose(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let rank = sizes(&x).len();
    let [first, second] = if call.has("axis0") {
        ["axis0", "axis1"]
    } else {
        ["dim0", "dim1"]
    };
    let [one, two] = [call.axis(first, 0, rank)?, call.axis(second, -1, rank)?];
    Ok(Value::Tensor(if one == two {
        x
    } else {
        Dispatch::float_swap_dims(x, one, two)
    }))
}

fn movedim(call: &mut Call) -> Result<Value> {
    let (from, to) = (
        needed(call, ["source", "source"])?,
        needed(call, ["destination", "destination"])?,
    );
    let x = call.tensor("self")?;
    let rank = sizes(&x).len();
    let axes = |all: Vec<i64>| -> Result<Vec<usize>> {
        all.into_iter().map(|axis| axis_of(axis, rank)).collect()
    };
    let (from, to) = (axes(from)?, axes(to)?);
    let mut rest = (0..rank).filter(|axis| !from.contains(axis));
    let order = (0..rank).map(|at| match to.iter().position(|to| *to == at) {
        Some(moved) => from.get(moved).copied(),
        None => rest.next(),
    });
    let order: Option<Vec<usize>> = order.collect();
    let Some(order) = order.filter(|order| (0..rank).all(|axis| order.contains(&axis))) else {
        return refused(format!("axes {from:?} do not move to {to:?}"));
    };
    Ok(Value::Tensor(Dispatch::float_permute(x, &order)))
}

fn squeeze(call: &mut Call) -> Result<Value> {
    let (x, own) = subject(call)?;
    let axes = match call.ints("dim")? {
        Some(axes) => axes
            .into_iter()
            .map(|axis| axis_of(axis, own.len()))
            .collect::<Result<Vec<_>>>()?,
        None => (0..own.len()).collect(),
    };
    let left = own.iter().enumerate();
    let left = left.filter(|(axis, size)| **size != 1 || !axes.contains(axis));
    let left: Vec<usize> = left.map(|(_, size)| *size).collect();
    Ok(sized(x, &left))
}

fn unsqueeze(call: &mut Call) -> Result<Value> {
    let (x, mut own) = subject(call)?;
    let axis = call.axis("dim", 0, own.len() + 1)?;
    own.insert(axis, 1);
    Ok(sized(x, &own))
}

/// Where a size is -1 it stays; axes in front are new.
fn expand(call: &mut Call) -> Result<Value> {
    let wanted = needed(call, ["size", "size"])?;
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let Some(new) = wanted.len().checked_sub(own.len()) else {
        return refused(format!("{own:?} cannot be expanded to {wanted:?}"));
    };
    let own = [vec![1; new], own].concat();
    let all = own.iter().zip(&wanted).map(|(own, wanted)| match wanted {
        -1 => Ok(*own),
        wanted => match usize::try_from(*wanted) {
            Ok(wanted) if wanted == *own || *own == 1 => Ok(wanted),
            _ => refused(format!("a size of {own} cannot be expanded to {wanted}")),
        },
    });
    let all: Vec<usize> = all.collect::<Result<_>>()?;
    call.most.check(&all)?;
    let x = Dispatch::float_reshape(x, shape(&own));
    Ok(Value::Tensor(Dispatch::float_expand(x, shape(&all))))
}

fn expand_as(call: &mut Call) -> Result<Value> {
    let wanted = sizes(&call.tensor("other")?);
    let x = call.tensor("self")?;
    call.most.check(&wanted)?;
    let Some(new) = wanted.len().checked_sub(sizes(&x).len()) else {
        return refused(format!("{:?} cannot be expanded to {wanted:?}", sizes(&x)));
    };
    let own = [vec![1; new], sizes(&x)].concat();
    let x = Dispatch::float_reshape(x, shape(&own));
    Ok(Value::Tensor(Dispatch::float_expand(x, shape(&wanted))))
}

fn repeat(call: &mut Call) -> Result<Value> {
    let times = needed(call, ["repeats", "repeats"])?;
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let Some(new) = times.len().checked_sub(own.len()) else {
        return refused(format!("{own:?} cannot be repeated {times:?} times"));
    };
    let own = [vec![1; new], own].concat();
    let grown = own
        .iter()
        .zip(&times)
        .map(|(size, times)| size.saturating_mul(usize::try_from(*times).unwrap_or_default()));
    call.most.check(&grown.collect::<Vec<_>>())?;
    let mut x = Dispatch::float_reshape(x, shape(&own));
    for (axis, times) in times.iter().enumerate() {
        match usize::try_from(*times) {
            Ok(1) => {}
            Ok(times) if times > 1 => x = Dispatch::float_repeat_dim(x, axis, times),
            _ => return refused(format!("it is repeated {times} times")),
        }
    }
    Ok(Value::Tensor(x))
}

fn sym_size(call: &mut Call) -> Result<Value> {
    let (_, own) = subject(call)?;
    let axis = call.axis("dim", 0, own.len())?;
    Ok(Value::Int(i64::try_from(own[axis]).unwrap_or(i64::MAX)))
}
