//! Augmentation against torchvision's on pictures of Pillow.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::decode::decode;
use crate::data::labeled::Augment;
use crate::data::labeled::augment::{Adjustment, Drawn, RandomResizedCrop};
use crate::data::transform::{Crop, CropBox};
use feature_grid::Picture;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::n;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/dataset")
        .join(name)
}

/// A binary PPM (P6), as Pillow writes it: three header lines, then the pixels.
fn ppm(name: &str) -> Picture {
    let bytes = fs::read(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut lines = bytes.splitn(4, |&byte| byte == b'\n');
    assert_eq!(lines.next(), Some(&b"P6"[..]), "{name}");
    let size = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
    let (width, height) = size.split_once(' ').unwrap();
    assert_eq!(lines.next(), Some(&b"255"[..]));
    let pixels = lines.next().unwrap().to_vec();
    Picture::rgb(width.parse().unwrap(), height.parse().unwrap(), pixels)
}

fn sources() -> [(&'static str, Picture); 2] {
    ["photo", "noise"].map(|name| {
        (
            name,
            decode(&fixture(&format!("{name}.png"))).unwrap().picture,
        )
    })
}

fn augment(size: u32) -> Augment {
    Augment::torchvision(n(size))
}

// Verified: torchvision | `adjust_brightness`, `…_contrast`, `…_saturation`, `…_hue` | to the bit
#[test]
fn adjustments_equal_torchvision() {
    type Make = fn(f64) -> Adjustment;
    let cases: [(&str, Make, &[f64]); 4] = [
        ("brightness", Adjustment::Brightness, &[0.0, 0.6, 1.37]),
        ("contrast", Adjustment::Contrast, &[0.0, 0.45, 1.8]),
        ("saturation", Adjustment::Saturation, &[0.0, 0.3, 1.0, 2.1]),
        ("hue", Adjustment::Hue, &[-0.5, -0.13, 0.02, 0.5]),
    ];
    for (source, picture) in sources() {
        for (what, make, factors) in cases {
            for &factor in factors {
                let name = format!("{source}_{what}_{factor:?}.ppm");
                let mut found = picture.clone();
                make(factor).apply(&mut found);
                assert!(found == ppm(&name), "{name}");
            }
        }
    }
}

// Verified: torchvision | `resized_crop` | to the bit
#[test]
fn crops_equal_torchvision() {
    let cases = [
        (3, 5, 16, 20, 12),
        (0, 0, 24, 32, 24),
        (7, 9, 9, 6, 20),
        (10, 2, 1, 1, 5),
        (2, 4, 11, 11, 11),
    ];
    for (source, picture) in sources() {
        for (top, left, height, width, size) in cases {
            let name = format!("{source}_crop_{top}_{left}_{height}_{width}_{size}.ppm");
            let drawn = Drawn {
                crop: CropBox {
                    top,
                    left,
                    height,
                    width,
                },
                flip: false,
                adjustments: Vec::new(),
            };
            let found = augment(size).apply(&picture, &drawn).unwrap();
            let expected = ppm(&name);
            assert_eq!((found.width, found.height), (size, size));
            assert!(found == expected, "{name}");
        }
        // 5 high and 7 wide.
        let mut wide = augment(5);
        wide.crop.size = "5x7".parse().unwrap();
        let drawn = wide.draw(
            picture.width,
            picture.height,
            &mut ChaCha8Rng::seed_from_u64(1),
        );
        let found = wide.apply(&picture, &drawn).unwrap();
        assert_eq!((found.width, found.height), (7, 5));
    }
    let outside = Drawn {
        crop: CropBox {
            top: 20,
            left: 0,
            height: 5,
            width: 1,
        },
        flip: false,
        adjustments: Vec::new(),
    };
    let error = augment(4).apply(&sources()[0].1, &outside).unwrap_err();
    assert!(
        error.to_string().contains("1 x 5 pixels at (0, 20)"),
        "{error}"
    );
}

// Verified: torchvision | `RandomResizedCrop`, flip and `ColorJitter` with the same draws | to the bit
#[test]
fn crop_flip_and_colours_together_equal_torchvision() {
    use Adjustment::{Brightness, Contrast, Hue, Saturation};
    let chains = [
        (
            "bcsh",
            [Brightness(1.2), Contrast(0.7), Saturation(1.5), Hue(0.08)],
        ),
        (
            "hscb",
            [Hue(-0.1), Saturation(0.6), Contrast(1.4), Brightness(0.8)],
        ),
    ];
    for (source, picture) in sources() {
        for (what, adjustments) in &chains {
            let drawn = Drawn {
                crop: CropBox {
                    top: 2,
                    left: 4,
                    height: 11,
                    width: 11,
                },
                flip: true,
                adjustments: adjustments.to_vec(),
            };
            let found = augment(11).apply(&picture, &drawn).unwrap();
            assert!(
                found == ppm(&format!("{source}_{what}.ppm")),
                "{source} {what}"
            );
        }
    }
}

fn numbers(line: &str) -> Vec<f64> {
    line.split(' ').map(|word| word.parse().unwrap()).collect()
}

fn crop(scale: (f64, f64), ratio: (f64, f64)) -> RandomResizedCrop {
    RandomResizedCrop {
        size: Crop::square(n(8)),
        scale,
        ratio,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small whole numbers"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[test]
fn the_box_in_the_middle_is_torchvisions() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let lines = fs::read_to_string(fixture("middle.txt")).unwrap();
    assert_eq!(lines.lines().count(), 24);
    for line in lines.lines() {
        let values = numbers(line);
        let [width, height, top, left, tall, wide] = [0, 1, 4, 5, 6, 7].map(|at| whole(values[at]));
        let expected = CropBox {
            top,
            left,
            height: tall,
            width: wide,
        };
        let crop = crop((9.0, 9.0), (values[2], values[3]));
        assert_eq!(crop.draw(width, height, &mut rng), expected, "{line}");
    }
    // A row is cut to a fifth of a pixel: at least one is left.
    let drawn = crop((9.0, 9.0), (0.1, 0.2)).draw(50, 1, &mut rng);
    assert_eq!((drawn.width, drawn.height), (1, 1));
}

#[test]
fn boxes_are_distributed_as_torchvisions() {
    const DRAWS: u32 = 100_000;
    let lines = fs::read_to_string(fixture("boxes.txt")).unwrap();
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        let values = numbers(line);
        let (width, height) = (values[0], values[1]);
        let crop = crop((values[2], values[3]), (values[4], values[5]));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut sums = [0.0; 6];
        for _ in 0..DRAWS {
            let drawn = crop.draw(whole(width), whole(height), &mut rng);
            let [top, tall, wide] = [drawn.top, drawn.height, drawn.width].map(f64::from);
            let area = tall * wide / (width * height);
            let ratio = (wide / tall).ln();
            let middle = (top + tall / 2.0) / height;
            let of_box = [
                area,
                area * area,
                ratio,
                ratio * ratio,
                middle,
                middle * middle,
            ];
            sums.iter_mut()
                .zip(of_box)
                .for_each(|(sum, value)| *sum += value);
        }
        // The means of 100,000 and of 200,000 boxes lie within 0.001 of each other by chance.
        for (sum, expected) in sums.iter().zip(&values[6..]) {
            let mean = sum / f64::from(DRAWS);
            assert!(
                (mean - expected).abs() < 0.004,
                "{line}: {mean} instead of {expected}"
            );
        }
    }
}
