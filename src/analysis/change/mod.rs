//! What changed between the weights of two checkpoints, and what of it is worth saying at the end.

mod events;
mod layer;
mod on_device;
mod summary;

pub(crate) use events::{Kind, of_filters};
pub(crate) use layer::{LayerChange, LayerWeights, are_same, nearly_equal};
pub(crate) use on_device::DeviceWeights;
pub(crate) use summary::Summary;

#[cfg(test)]
mod tests;
