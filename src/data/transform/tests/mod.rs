mod resizing;

use super::crop::centered;
use super::resize::resized_size;
use super::*;
use feature_grid::Picture;
use proptest::prelude::*;
use std::num::NonZeroU32;

fn n(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap()
}

fn square(side: u32) -> Crop {
    Crop::square(n(side))
}

#[test]
fn the_longer_side_is_rounded_down() {
    // torchvision.transforms.functional._compute_resized_output_size((height, width), [n])
    assert_eq!(resized_size(451, 300, n(256)), (384, 256));
    assert_eq!(resized_size(300, 451, n(256)), (256, 384));
    assert_eq!(resized_size(600, 400, n(1024)), (1536, 1024));
    assert_eq!(resized_size(640, 481, n(256)), (340, 256));
    assert_eq!(resized_size(3, 2, n(1)), (1, 1));
    assert_eq!(resized_size(1, 65_500, n(256)), (256, 16_768_000));
}

#[test]
fn the_crop_is_placed_as_pythons_round_does() {
    let from = |length, crop| centered(length, crop).from;
    // int(round((length - crop) / 2.0)) of the differences 0 to 8.
    let starts: Vec<u32> = (10..=18).map(|length| from(length, 10)).collect();
    assert_eq!(starts, [0, 0, 1, 2, 2, 2, 3, 4, 4]);
    let begins = |length, crop| {
        let side = centered(length, crop);
        (side.from, side.padding)
    };
    assert_eq!(begins(7, 10), (0, 1));
    assert_eq!(begins(10, 10), (0, 0));
}

#[test]
fn a_crop_of_the_pictures_size_changes_nothing() {
    let picture = Picture::rgb(2, 2, (0..12).collect());
    assert_eq!(square(2).center(&picture).unwrap(), picture);
}

// Verified: Pillow 13 | conversion to gray | to the bit
#[test]
fn luma_is_pillows() {
    // Image.new("RGB", (24, 1)) with these pixels, and its convert("L"), of Pillow 13.
    let colors = vec![
        0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 1, 1, 254, 254, 254, 121, 66,
        189, 242, 33, 6, 240, 132, 119, 98, 240, 243, 203, 77, 118, 77, 199, 7, 32, 81, 21, 154,
        15, 137, 242, 198, 218, 202, 227, 68, 187, 49, 18, 69, 253, 111, 132, 223, 154, 215, 197,
        179, 208, 118, 172, 14, 143, 83, 167, 53, 108,
    ];
    let gray = [
        0, 255, 76, 150, 29, 1, 254, 96, 92, 163, 198, 119, 141, 60, 70, 213, 201, 87, 182, 188,
        200, 151, 98, 93,
    ];
    let preprocess = Preprocess {
        resize: None,
        crop: None,
        ..Preset::Imagenet.preprocess()
    };
    let preprocess = preprocess.for_network(true);
    let picture = preprocess.picture(&Picture::rgb(24, 1, colors)).unwrap();
    assert_eq!(picture.pixels, gray);
    // (x / 255 - 0.449) / 0.226, the averages of ImageNet's means and deviations.
    let numbers = preprocess.normalize.apply(&picture);
    assert_eq!(numbers.len(), 24);
    for (number, expected) in numbers.iter().zip([-1.986_725_7, 2.438_053, -0.667_968]) {
        assert!((number - expected).abs() < 1e-5, "{number} {expected}");
    }
    assert_eq!(
        preprocess.to_string(),
        "resize off, crop off, luma / 255, mean 0.449, std 0.226"
    );
}

#[test]
fn what_would_be_too_large_is_refused() {
    let picture = Picture::rgb(1, 1000, vec![0; 3000]);
    let preprocess = |resize, crop| Preprocess {
        resize,
        crop,
        ..Preset::Imagenet.preprocess()
    };
    for too_large in [
        preprocess(Some(n(1024)), Some(square(672))),
        preprocess(None, Some(square(20_000))),
        preprocess(Some(n(u32::MAX)), None),
    ] {
        let error = too_large.picture(&picture).unwrap_err();
        assert!(matches!(error, ImageError::ResizedTooLarge { .. }));
        assert!(
            error
                .to_string()
                .starts_with("1 x 1000 pixels would become")
        );
    }
}

#[test]
fn caffe_reverses_the_channels() {
    let picture = Picture::rgb(1, 1, vec![10, 20, 30]);
    let numbers = Preset::Caffe.preprocess().normalize.apply(&picture);
    assert_eq!(numbers, [30.0 - 103.939, 20.0 - 116.779, 10.0_f32 - 123.68]);
}

#[test]
fn presets_have_their_sizes() {
    let sides = [Preset::Imagenet, Preset::Article, Preset::Caffe]
        .map(|p| (p.preprocess().resize, p.preprocess().crop));
    assert_eq!(
        sides.map(|(r, c)| (r.unwrap().get(), c.unwrap().sides())),
        [(256, [224; 2]), (1024, [672; 2]), (256, [224; 2])]
    );
}
proptest! {
    #[test]
    fn integer_division_is_torchvisions_float_division(short in 1_u32..100_000, more in 0_u32..100_000, side in 1_u32..20_000) {
        let long = short + more;
        let (_, found) = resized_size(short, long, n(side));
        let float = (f64::from(side) * f64::from(long)) / f64::from(short);
        prop_assert_eq!(found.to_string(), float.floor().to_string());
    }

    #[test]
    fn a_crop_keeps_the_middle(width in 1_u32..12, height in 1_u32..12, crop in 1_u32..12) {
        let pixels = (0..width * height).flat_map(|i| [u8::try_from(i).unwrap() + 1; 3]).collect();
        let picture = Picture::rgb(width, height, pixels);
        let (width, height) = (width as usize, height as usize);
        let cropped = square(crop).center(&picture).unwrap();
        let side = crop as usize;
        prop_assert_eq!((cropped.width, cropped.height), (crop, crop));
        // Every pixel is either padding or one of the picture's, shifted by one offset for all.
        let kept: Vec<(usize, usize)> = cropped.pixels.chunks_exact(3).enumerate()
            .filter(|(_, p)| p[0] != 0)
            .map(|(at, p)| (at, usize::from(p[0]) - 1))
            .collect();
        prop_assert_eq!(kept.len(), width.min(side) * height.min(side));
        let offset = |(at, from): (usize, usize)| (
            (at % side).wrapping_sub(from % width),
            (at / side).wrapping_sub(from / width),
        );
        for &pair in &kept {
            prop_assert_eq!(offset(pair), offset(kept[0]));
        }
    }
}
