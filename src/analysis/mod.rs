//! What is measured at the steps of a run.

pub(crate) mod change;
pub(crate) mod compare;
pub(crate) mod figure;
pub(crate) mod probe;
pub mod similarity;
pub(crate) mod sweep;
