//! Several values put together, and values picked out of one.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::tensor::IntTensor;
use burn::tensor::IntDType;

use super::Table;
use crate::network::pt2::value::{Call, Floats, Most, Result, Value, refused, shape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.cat", cat),
    ("aten.concat", cat),
    ("aten.stack", stack),
    ("aten.index", index),
    ("aten.index_select", index),
];

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

fn whole(places: Value) -> Result<IntTensor<Dispatch>> {
    match places {
        Value::Integers(all) => Ok(all),
        Value::Tensor(all) => Ok(Dispatch::float_into_int(all, IntDType::I64)),
        _ => refused("it is given no list of whole numbers"),
    }
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
                (Some((axis, places)), None) => (axis, whole(places)?),
                _ => return refused("only one list of whole numbers is known"),
            }
        }
        (_, Some(places)) => (call.axis("dim", 0, own.len())?, whole(places)?),
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
