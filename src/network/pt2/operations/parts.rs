//! Parts of a value.

use std::ops::Range;

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Slice;

use super::Table;
use crate::network::pt2::value::{Call, Floats, Result, Value, axis_of, refused, reshape, sizes};

/// No network takes a value into more.
const MOST_PARTS: usize = 1 << 14;

pub(super) const TABLE: Table = &[
    ("aten.select", select),
    ("aten.slice", slice),
    ("aten.narrow", narrow),
    ("aten.split aten.split_with_sizes", split),
    ("aten.chunk", chunk),
    ("aten.unbind", unbind),
    ("_operator.getitem", getitem),
];

/// What is taken apart along an axis.
struct Whole {
    x: Floats,
    own: Vec<usize>,
    axis: usize,
    /// Places along the axis.
    size: usize,
}

impl Whole {
    fn of(call: &mut Call) -> Result<Self> {
        let (x, own) = call.sized()?;
        let axis = call.axis("dim", 0, own.len())?;
        match own.get(axis) {
            Some(&size) => Ok(Self { x, own, axis, size }),
            None => refused("a single number has no parts"),
        }
    }

    fn part(&self, range: Range<usize>, step: usize) -> Floats {
        part(self.x.clone(), self.axis, range, step)
    }

    /// What is at a place, without the axis.
    fn at(&self, place: usize) -> Value {
        let mut left = self.own.clone();
        left.remove(self.axis);
        Value::Tensor(reshape(self.part(place..place + 1, 1), &left))
    }

    /// A place that is counted from the end where it is below 0, and cut to the axis.
    fn place(&self, at: i64) -> usize {
        let own = i64::try_from(self.size).unwrap_or(i64::MAX);
        let from_start = if at < 0 { at.saturating_add(own) } else { at };
        usize::try_from(from_start.clamp(0, own)).unwrap_or_default()
    }

    /// Parts of these sizes.
    fn parts(&self, each: impl IntoIterator<Item = usize>) -> Result<Value> {
        let (size, mut start) = (self.size, 0_usize);
        let mut parts = Vec::new();
        for length in each {
            let end = start.saturating_add(length);
            if end > size || parts.len() == MOST_PARTS {
                return refused(format!(
                    "parts up to {end} are beyond its size, {size}, or more than {MOST_PARTS}"
                ));
            }
            parts.push(Value::Tensor(self.part(start..end, 1)));
            start = end;
        }
        Ok(Value::List(parts))
    }

    /// Parts of one length, the last of which may be shorter.
    fn parts_of(&self, length: usize) -> Result<Value> {
        let length = length.max(1);
        let starts = (0..self.size).step_by(length);
        self.parts(starts.map(|start| length.min(self.size - start)))
    }
}

/// Every `step`th place of a range along an axis.
pub(in crate::network::pt2) fn part(
    x: Floats,
    axis: usize,
    range: Range<usize>,
    step: usize,
) -> Floats {
    let signed = |place: usize| isize::try_from(place).unwrap_or(isize::MAX);
    let mut slices: Vec<Slice> = sizes(&x).iter().map(|size| (0..*size).into()).collect();
    let end = range.end.max(range.start);
    slices[axis] = Slice::new(signed(range.start), Some(signed(end)), signed(step));
    Dispatch::float_slice(x, &slices)
}

fn select(call: &mut Call) -> Result<Value> {
    let whole = Whole::of(call)?;
    let at = axis_of(call.needed_int("index")?, whole.size)?;
    Ok(whole.at(at))
}

fn slice(call: &mut Call) -> Result<Value> {
    let whole = Whole::of(call)?;
    let start = whole.place(call.int("start", 0)?);
    let end = whole.place(call.int("end", i64::MAX)?);
    let step = call.count("step", Some(1))?;
    Ok(Value::Tensor(whole.part(start..end, step)))
}

fn narrow(call: &mut Call) -> Result<Value> {
    let whole = Whole::of(call)?;
    let start = whole.place(call.needed_int("start")?);
    let length = usize::try_from(call.needed_int("length")?).unwrap_or_default();
    let end = start.saturating_add(length).min(whole.size);
    Ok(Value::Tensor(whole.part(start..end, 1)))
}

fn split(call: &mut Call) -> Result<Value> {
    let lengths = call.take("split_size").or_else(|| call.take("split_sizes"));
    let whole = Whole::of(call)?;
    let size = |value: &Value| value.int().and_then(|size| usize::try_from(size).ok());
    match lengths {
        Some(Value::List(all)) => match all.iter().map(size).collect::<Option<Vec<_>>>() {
            Some(all) => whole.parts(all),
            None => refused("its sizes are no sizes"),
        },
        one => match one.as_ref().and_then(size) {
            Some(length) => whole.parts_of(length),
            None => refused("its argument `split_size` is no size"),
        },
    }
}

fn chunk(call: &mut Call) -> Result<Value> {
    let whole = Whole::of(call)?;
    let count = call.count("chunks", None)?;
    whole.parts_of(whole.size.div_ceil(count))
}

fn unbind(call: &mut Call) -> Result<Value> {
    let whole = Whole::of(call)?;
    if whole.size > MOST_PARTS {
        return refused(format!("{:?} is not taken apart", whole.own));
    }
    Ok(Value::List(
        (0..whole.size).map(|at| whole.at(at)).collect(),
    ))
}

fn getitem(call: &mut Call) -> Result<Value> {
    let at = call.second().and_then(Value::int);
    let Some(Value::List(all)) = call.first() else {
        return refused("it is given no list");
    };
    let at = axis_of(at.unwrap_or_default(), all.len())?;
    match all.into_iter().nth(at) {
        Some(value) => Ok(value),
        None => refused(format!("there is no value {at}")),
    }
}
