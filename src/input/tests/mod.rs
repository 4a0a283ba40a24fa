//! Whole files against their real producers, and lists of files.

mod files;
mod lists;
