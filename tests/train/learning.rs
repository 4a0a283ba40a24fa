//! It learns.
