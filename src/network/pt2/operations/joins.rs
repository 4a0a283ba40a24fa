//! Several values put together, and values picked out of one.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::IntDType;

use super::Table;
use crate::network::pt2::value::{Call, Result, Value, refused, reshape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.cat aten.concat", |call| joined(call, false)),
    ("aten.stack", |call| joined(call, true)),
    ("aten.index aten.index_select", index),
];

/// One behind the other along an axis, which may be a new one.
fn joined(call: &mut Call, is_new: bool) -> Result<Value> {
    let mut all = call.tensors("tensors")?;
    let Some(rank) = all.first().map(|first| sizes(first).len()) else {
        return refused("it is given no tensors");
    };
    let axis = call.axis("dim", 0, rank + usize::from(is_new))?;
    if is_new {
        let with_axis = |x| {
            let mut own = sizes(&x);
            own.insert(axis.min(own.len()), 1);
            reshape(x, &own)
        };
        all = all.into_iter().map(with_axis).collect();
    }
    let of: Vec<Vec<usize>> = all.iter().map(sizes).collect();
    let mut together = of[0].clone();
    let others = |own: &[usize]| {
        let others = own.iter().enumerate().filter(|(at, _)| *at != axis);
        others.map(|(_, size)| *size).collect::<Vec<_>>()
    };
    let is_apart =
        |own: &&Vec<usize>| own.len() != together.len() || others(own) != others(&together);
    if let Some(own) = of.iter().find(is_apart) {
        return refused(format!("{own:?} and {together:?} are not put together"));
    }
    let Some(size) = together.get_mut(axis) else {
        return refused("numbers are not put together");
    };
    *size = of.iter().fold(0, |sum, own| sum.saturating_add(own[axis]));
    call.most.check(&together)?;
    Ok(Value::Tensor(Dispatch::float_cat(all, axis)))
}

/// By one list of places along one axis.
fn index(call: &mut Call) -> Result<Value> {
    let (x, own) = call.sized()?;
    let (axis, places) = match call.take("indices") {
        Some(Value::List(all)) => {
            let is_given = |(_, value): &(usize, Value)| !matches!(value, Value::None);
            let mut given = all.into_iter().enumerate().filter(is_given);
            match (given.next(), given.next()) {
                (Some((axis, Value::Tensor(places))), None) => (axis, places),
                _ => return refused("only one list of whole numbers is known"),
            }
        }
        _ => (call.axis("dim", 0, own.len())?, call.tensor("index")?),
    };
    let of_places = sizes(&places);
    let places = reshape(places, &[of_places.iter().product()]);
    if axis >= own.len() {
        return refused(format!("{own:?} has no axis {axis}"));
    }
    let all = [&own[..axis], &of_places[..], &own[axis + 1..]].concat();
    call.most.check(&all)?;
    let places = Dispatch::float_into_int(places, IntDType::I64);
    Ok(Value::Tensor(reshape(
        Dispatch::float_select(x, axis, places),
        &all,
    )))
}
