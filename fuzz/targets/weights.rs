//! Weights files of every format: opened, and every tensor read that is not large.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vggscope::weights::WeightsFile;
use vggscope_fuzz::{bounded, file};

/// A view may repeat its storage, so a large tensor is in few bytes.
const LARGEST: usize = 1 << 16;
const MOST: usize = 64;

fuzz_target!(|input: &[u8]| bounded(input, || {
    let Ok(file) = WeightsFile::open(file(input)) else {
        return;
    };
    for entry in file.entries().take(MOST) {
        let count = entry
            .shape()
            .iter()
            .try_fold(1_usize, |count, &dim| count.checked_mul(dim));
        if count.is_none_or(|count| count <= LARGEST)
            && let Ok(values) = file.read(entry.name())
        {
            assert_eq!(Some(values.len()), count);
        }
    }
}));
