//! Data sets and batches of folders made for the test; augmentation against torchvision on Pillow.
//!
//! Fixtures: `tests/fixtures/dataset/make_augment.py`.

mod augment;
mod layout;
mod loader;
mod open;

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

fn n(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
