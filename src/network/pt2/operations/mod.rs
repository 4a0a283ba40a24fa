//! The operations of exported programs, as Burn's.
//!
//! Each takes its arguments by the names of PyTorch's operator and gives a value, or a list of them. An operation in place
//! gives a new value; what it changes is the graph's affair.
//!
//! Source: `aten/src/ATen/native/native_functions.yaml` of `PyTorch` 2.9.

mod activation;
mod arithmetic;
mod attention;
mod convolution;
mod einsum;
mod joins;
mod masks;
mod normalization;
mod parts;
mod pooling;
mod reduction;
mod resampling;
mod views;

use super::value::{Call, Result, Value};

pub(super) use arithmetic::like;
pub(super) use parts::part;

pub(super) type Operation = fn(&mut Call) -> Result<Value>;

/// The names of operations, and what computes them.
type Table = &'static [(&'static str, Operation)];

const TABLES: [Table; 13] = [
    activation::TABLE,
    arithmetic::TABLE,
    attention::TABLE,
    convolution::TABLE,
    einsum::TABLE,
    joins::TABLE,
    masks::TABLE,
    normalization::TABLE,
    parts::TABLE,
    pooling::TABLE,
    reduction::TABLE,
    resampling::TABLE,
    views::TABLE,
];

/// The operation called `aten.conv2d`, without overload and the `_` of those in place.
pub(super) fn operation(name: &str) -> Option<Operation> {
    let mut all = TABLES.iter().copied().flatten();
    all.find(|(names, _)| is_in(names, name))
        .map(|(_, run)| *run)
}

fn is_in(names: &str, name: &str) -> bool {
    names.split(' ').any(|one| one == name)
}

/// The names of all that are known, in order.
#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    let all = TABLES.iter().copied().flatten();
    let mut names: Vec<&str> = all.flat_map(|(names, _)| names.split(' ')).collect();
    names.sort_unstable();
    names
}

/// Whether what it gives is its first argument, or a part of it, in the same memory.
pub(super) fn shares_memory(name: &str) -> bool {
    const COPIES: &str = "aten.clone aten._to_copy aten.lift_fresh_copy aten.repeat";
    is_view(name) && !is_in(COPIES, name)
}

/// Whether it shares memory, or copies, as the strides or the numbers of what it is given decide.
pub(super) fn may_copy(name: &str) -> bool {
    const UNDECIDED: &str =
        "aten.reshape aten.reshape_as aten.flatten aten.contiguous aten.to aten.type_as";
    is_in(UNDECIDED, name)
}

/// What shows values, or a part of them, in another shape, or does nothing: no layer that is worth a picture.
pub(super) fn is_view(name: &str) -> bool {
    let mut views = views::TABLE.iter().chain(parts::TABLE);
    views.any(|(names, _)| is_in(names, name))
}
