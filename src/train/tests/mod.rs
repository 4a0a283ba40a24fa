//! Training against PyTorch's, saved and restored, and going wrong.
//!
//! Fixtures: `tests/fixtures/train/make_train.py`.

mod checkpoint;
mod learning;
mod parity;
mod reference;
mod support;
mod trouble;
