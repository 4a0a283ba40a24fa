//! Configuration files, as `--config` reads them; the length says for which command.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vggscope_fuzz::{bounded, file};

fuzz_target!(|input: &[u8]| bounded(input, || vggscope::fuzz::config(&file(input), input.len())));
