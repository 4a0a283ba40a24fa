//! Whole files against their real producers, and lists of files.

mod decoding;
mod lists;
mod preprocessing;
