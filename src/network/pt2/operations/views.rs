//! The same values in another shape, parts of them, and several put together.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::Slice;

use super::Table;
use crate::network::pt2::value::{
    Call, Floats, Most, Result, Value, axis_of, refused, shape, sizes,
};

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
    ("aten.t", transpose),
    ("aten.numpy_T", transpose),
    ("aten.movedim", movedim),
    ("aten.squeeze", squeeze),
    ("aten.unsqueeze", unsqueeze),
    ("aten.expand", expand),
    ("aten.expand_as", expand_as),
    ("aten.repeat", repeat),
    ("aten.select", select),
    ("aten.slice", slice),
    ("aten.narrow", narrow),
    ("aten.index", index),
    ("aten.index_select", index),
    ("aten.cat", cat),
    ("aten.concat", cat),
    ("aten.stack", stack),
    ("aten.split", split),
    ("aten.split_with_sizes", split),
    ("aten.chunk", chunk),
    ("aten.unbind", unbind),
    ("_operator.getitem", getitem),
    ("aten.contiguous", same),
    ("aten.clone", same),
    ("aten.alias", same),
    ("aten.detach", same),
    ("aten.to", same),
    ("aten._to_copy", same),
    ("aten.type_as", same),
    ("aten.lift_fresh_copy", same),
    ("aten.dropout", dropout),
    ("aten.feature_dropout", dropout),
    ("aten.alpha_dropout", dropout),
    ("aten.sym_size", sym_size),
];

/// What a network does with numbers of another type it does here with those that it has.
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
    let [one, two] = [call.axis("dim0", 0, rank)?, call.axis("dim1", -1, rank)?];
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

/// By one list of places along one axis.
fn index(call: &mut Call) -> Result<Value> {
    use burn::backend::TensorMetadata;
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let (axis, places) = match (call.take("indices"), call.take("index")) {
        (Some(Value::List(all)), _) => {
            let mut given = all.into_iter().enumerate();
            let mut given = given
                .by_ref()
                .filter(|(_, value)| !matches!(value, Value::None));
            match (given.next(), given.next()) {
                (Some((axis, Value::Integers(places))), None) => (axis, places),
                _ => return refused("only one list of whole numbers is known"),
            }
        }
        (_, Some(Value::Integers(places))) => (call.axis("dim", 0, own.len())?, places),
        _ => return refused("it is given no list of whole numbers"),
    };
    let of_places = places.shape().to_vec();
    let count = of_places.iter().product();
    let places = Dispatch::int_reshape(places, shape(&[count]));
    if axis >= own.len() {
        return refused(format!("{own:?} has no axis {axis}"));
    }
    let all = [&own[..axis], &of_places[..], &own[axis + 1..]].concat();
    call.most.check(&all)?;
    let x = Dispatch::float_select(x, axis, places);
    Ok(Value::Tensor(Dispatch::float_reshape(x, shape(&all))))
}

fn cat(call: &mut Call) -> Result<Value> {
    let all = call.tensors("tensors")?;
    let Some(rank) = all.first().map(|first| sizes(first).len()) else {
        return refused("it is given no tensors");
    };
    let axis = call.axis("dim", 0, rank)?;
    joined(all, axis, call.most)
}

fn stack(call: &mut Call) -> Result<Value> {
    let all = call.tensors("tensors")?;
    let Some(rank) = all.first().map(|first| sizes(first).len()) else {
        return refused("it is given no tensors");
    };
    let axis = call.axis("dim", 0, rank + 1)?;
    let each = all.into_iter().map(|x| {
        let mut own = sizes(&x);
        own.insert(axis, 1);
        Dispatch::float_reshape(x, shape(&own))
    });
    joined(each.collect(), axis, call.most)
}

/// One behind the other along an axis.
fn joined(all: Vec<Floats>, axis: usize, most: Most) -> Result<Value> {
    let of: Vec<Vec<usize>> = all.iter().map(sizes).collect();
    let mut together = of.first().cloned().unwrap_or_default();
    let others = |own: &[usize]| {
        let others = own.iter().enumerate().filter(|(at, _)| *at != axis);
        others.map(|(_, size)| *size).collect::<Vec<_>>()
    };
    let is_apart =
        |own: &&Vec<usize>| own.len() != together.len() || others(own) != others(&together);
    if let Some(own) = of.iter().find(is_apart) {
        return refused(format!("{own:?} and {together:?} are not put together"));
    }
    match together.get_mut(axis) {
        Some(size) => {
            *size = of
                .iter()
                .fold(0, |sum: usize, own| sum.saturating_add(own[axis]));
        }
        None => return refused("numbers are not put together"),
    }
    most.check(&together)?;
    Ok(Value::Tensor(Dispatch::float_cat(all, axis)))
}

/// No network takes a value into more.
const MOST_PARTS: usize = 1 << 14;

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

fn sym_size(call: &mut Call) -> Result<Value> {
    let (_, own) = subject(call)?;
    let axis = call.axis("dim", 0, own.len())?;
    Ok(Value::Int(i64::try_from(own[axis]).unwrap_or(i64::MAX)))
}
