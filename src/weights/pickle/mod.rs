//! Reading pickles without running them.
//!
//! A pickle is a program for a stack machine that builds values. `machine` runs that program on
//! `Node`s: dictionaries, lists, strings and integers become what they are, the calls that
//! rebuild tensors become views of storages (`rebuild`), and every other call or object becomes an
//! inert object that remembers the name of its class. Nothing is imported and nothing is called. A
//! name that could run code ends the reading at once (`danger`).
//!
//! Source: `pickletools.py` of `CPython`, which documents every opcode; `torch/serialization.py`
//! and `torch/_utils.py` for what `torch.save` puts into one.

mod danger;
mod heap;
mod machine;
mod rebuild;

pub(super) use heap::{Heap, Id, Node, Object};
pub(super) use machine::load;
