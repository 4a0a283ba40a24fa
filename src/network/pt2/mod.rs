//! Networks of any kind, as `torch.export` saves them: a graph of operations, run as it is.
//!
//! ```text
//! net.pt2 ──> schema ──> graph, names ──> layers ──> Program
//!                                                       │ + tensors of a weights file
//!                                                       └──> ExportedNetwork ──> run, by operations/
//! ```

mod error;
mod graph;
mod layers;
mod names;
mod network;
mod operations;
mod program;
mod run;
mod schema;
mod size;
mod value;

pub(crate) use error::{GraphError, Pt2Error};
pub(crate) use network::ExportedNetwork;
pub(crate) use program::{Program, ProgramError};

#[cfg(test)]
mod tests;
