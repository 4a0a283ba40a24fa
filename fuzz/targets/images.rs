//! Image files of every format. The feature `fuzz` lowers the limit of pixels to a million.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vggscope_fuzz::{bounded, file};

fuzz_target!(|input: &[u8]| bounded(input, || vggscope::fuzz::image(&file(input))));
