//! torchvision's `ColorJitter`, with Pillow's arithmetic in its own precisions: where it rounds to `f32` and where it truncates
//! decides gray levels.
//!
//! Source: `src/libImaging/Blend.c` and `Convert.c` of Pillow, and `ImageEnhance.py`.

use feature_grid::Picture;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::data::labeled::random::uniform;
use crate::data::transform::luma_of;

/// torchvision's `ColorJitter`. Factors are drawn from 1 - x (0 at least) to 1 + x, the shift of the hue from
/// -x to x in turns of the hue circle (0.5 at most); 0 leaves a property as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct ColorJitter {
    pub(crate) brightness: f64,
    pub(crate) contrast: f64,
    pub(crate) saturation: f64,
    pub(crate) hue: f64,
}

/// One change of an image's colors.
///
/// Source: `adjust_*` in torchvision 0.24's `transforms/_functional_pil.py`, which call Pillow's
/// `ImageEnhance` and its conversion to HSV and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Adjustment {
    /// `adjust_brightness`: away from black (or to it) by this factor.
    Brightness(f64),
    /// `adjust_contrast`: away from the image's mean gray level by this factor.
    Contrast(f64),
    /// `adjust_saturation`: away from each pixel's own gray level by this factor.
    Saturation(f64),
    /// `adjust_hue`: around the hue circle by this fraction of a turn.
    Hue(f64),
}

impl ColorJitter {
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<Adjustment> {
        let mut factor = |amount: f64| {
            (amount > 0.0).then(|| uniform(rng, (1.0 - amount).max(0.0), 1.0 + amount))
        };
        let factors = [
            factor(self.brightness).map(Adjustment::Brightness),
            factor(self.contrast).map(Adjustment::Contrast),
            factor(self.saturation).map(Adjustment::Saturation),
        ];
        let mut adjustments: Vec<Adjustment> = factors.into_iter().flatten().collect();
        if self.hue > 0.0 {
            adjustments.push(Adjustment::Hue(uniform(rng, -self.hue, self.hue)));
        }
        adjustments.shuffle(rng);
        adjustments
    }
}

impl Adjustment {
    pub(crate) fn apply(self, picture: &mut Picture) {
        let (pixels, _) = picture.pixels.as_chunks_mut::<3>();
        match self {
            Self::Brightness(factor) => blend(pixels, factor, |_| 0),
            Self::Contrast(factor) => {
                let mean = mean_gray(pixels);
                blend(pixels, factor, |_| mean);
            }
            Self::Saturation(factor) => blend(pixels, factor, luma_of),
            Self::Hue(turn) => turn_hue(pixels, turn),
        }
    }
}

type Rgb = [u8; 3];

/// `Image.blend`: each channel moves away from the gray level that `gray` gives for its pixel by
/// `factor` (0 makes the image that gray, 1 leaves it as it is).
fn blend(pixels: &mut [Rgb], factor: f64, gray: impl Fn(Rgb) -> u8) {
    #[expect(clippy::cast_possible_truncation, reason = "as Pillow passes it on")]
    let factor = factor as f32;
    for pixel in pixels {
        let gray = f32::from(gray(*pixel));
        for value in pixel {
            let moved = gray + factor * (f32::from(*value) - gray);
            *value = truncated(moved.into());
        }
    }
}

/// `int(ImageStat.Stat(gray).mean[0] + 0.5)`.
fn mean_gray(pixels: &[Rgb]) -> u8 {
    let sum: u64 = pixels.iter().map(|pixel| u64::from(luma_of(*pixel))).sum();
    let mean = sum as f64 / pixels.len().max(1) as f64;
    truncated(mean + 0.5)
}

/// `adjust_hue`: to HSV, where the hue has 8 bits and goes round, and back.
fn turn_hue(pixels: &mut [Rgb], turn: f64) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a turn of the circle is 256 steps, and so are the lower 8 bits"
    )]
    let steps = (turn * 255.0) as i32 as u8;
    for pixel in pixels {
        let [hue, saturation, value] = hsv(*pixel);
        *pixel = rgb([hue.wrapping_add(steps), saturation, value]);
    }
}

/// `rgb2hsv_row`.
fn hsv([r, g, b]: Rgb) -> [u8; 3] {
    let largest = r.max(g).max(b);
    let smallest = r.min(g).min(b);
    if largest == smallest {
        return [0, 0, largest];
    }
    let range = f32::from(largest - smallest);
    let saturation = range / f32::from(largest);
    let [rc, gc, bc] = [r, g, b].map(|value| f32::from(largest - value) / range);
    let sixths = if r == largest {
        bc - gc
    } else if g == largest {
        single(2.0 + f64::from(rc) - f64::from(bc))
    } else {
        single(4.0 + f64::from(gc) - f64::from(rc))
    };
    let hue = single((f64::from(sixths) / 6.0 + 1.0) % 1.0);
    [
        truncated(f64::from(hue) * 255.0),
        truncated(f64::from(saturation) * 255.0),
        largest,
    ]
}

/// `hsv2rgb`.
fn rgb([hue, saturation, value]: [u8; 3]) -> Rgb {
    if saturation == 0 {
        return [value; 3];
    }
    let sixths = f64::from(hue) * 6.0 / 255.0;
    let sector = sixths.floor();
    let rest = single(sixths - sector);
    let saturation = single(f64::from(saturation) / 255.0);
    let full = f64::from(value);
    let low = truncated((full * (1.0 - f64::from(saturation))).round());
    let falling = truncated((full * (1.0 - f64::from(saturation * rest))).round());
    let rising = full * (1.0 - f64::from(saturation) * (1.0 - f64::from(rest)));
    let rising = truncated(rising.round());
    match truncated(sector) % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}

/// Without the fraction, and clipped to a gray level.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is wanted"
)]
fn truncated(number: f64) -> u8 {
    number as u8
}

#[expect(clippy::cast_possible_truncation, reason = "Pillow stores a float")]
fn single(number: f64) -> f32 {
    number as f32
}
