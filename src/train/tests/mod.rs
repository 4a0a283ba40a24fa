//! Training against PyTorch's, saved and restored, and diverging.
//!
//! Fixtures: `tests/fixtures/train/make_train.py`.

mod batches;
mod checkpoint;
mod damaged;
mod divergence;
mod learning;
mod parity;
mod reference;
mod support;
