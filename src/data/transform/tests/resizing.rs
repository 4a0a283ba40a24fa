//! Resizing against Pillow. Fixture: `tests/fixtures/input/make_resize.py`.

use crate::data::transform::resize::to_size;
use feature_grid::Picture;

/// The script's `noise`.
fn noise(width: u32, height: u32) -> Picture {
    let value = |at: u32| {
        let mut x = at.wrapping_add(width.wrapping_mul(65537).wrapping_add(height));
        x = x.wrapping_mul(2_654_435_761);
        x ^= x >> 15;
        x = x.wrapping_mul(2_246_822_519);
        x ^= x >> 13;
        x.to_le_bytes()[0]
    };
    Picture::rgb(width, height, (0..width * height * 3).map(value).collect())
}

// Verified: Pillow 13 | `Image.resize`, bilinear, 349 pairs of sizes | to the bit
#[test]
fn every_size_equals_pillow_to_the_bit() {
    let cases = include_str!("../../../../tests/fixtures/input/resize.txt");
    assert_eq!(cases.lines().count(), 349);
    let mut wrong = Vec::new();
    for case in cases.lines() {
        let (sizes, expected) = case.rsplit_once(' ').unwrap();
        let sizes: Vec<u32> = sizes.split(' ').map(|side| side.parse().unwrap()).collect();
        let source = noise(sizes[0], sizes[1]);
        let found = to_size(&source, sizes[2].into(), sizes[3].into()).unwrap();
        let found = found.unwrap_or(source);
        assert_eq!([found.width, found.height], sizes[2..], "{case}");
        if format!("{:08x}", crc32fast::hash(&found.pixels)) != expected {
            wrong.push(case);
        }
    }
    assert!(wrong.is_empty(), "{} differ: {wrong:?}", wrong.len());
}
