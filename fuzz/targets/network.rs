//! Graphs of exported networks, as JSON; the archives around them are the affair of `weights`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vggscope_fuzz::bounded;

fuzz_target!(|input: &[u8]| bounded(input, || vggscope::fuzz::network(input)));
