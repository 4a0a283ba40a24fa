//! Whole files against their real producers, and lists of files.

mod bounds;
mod checkpoints;
mod crashing;
mod decoding;
mod left_out;
mod lists;
mod prepared;
mod preprocessing;
