//! The program from outside: every command, message and exit code.

mod bad_input;
mod checkpoints;
mod configuration;
mod images;
mod information;
mod support;
mod train;
