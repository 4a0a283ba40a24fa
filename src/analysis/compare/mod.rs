//! Runs compared with each other, from the Gram matrices that each left in its folder.

mod error;
mod pair;
mod run;

pub(crate) use error::CompareError;
pub(crate) use pair::Pair;
pub(crate) use run::ComparedRun;
