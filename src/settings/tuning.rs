//! Settings of several numbers: `key=value,...`, whose lists go on to the next key.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::text::written_as_text;
use super::values::{
    ParseValueError, Span, expected, numbers, parse_count_or_zero, parse_fraction,
};
use crate::data::labeled::augment::ColorJitter;

written_as_text!(Normalize, Augment, Schedule);

/// The pairs of `a=1,2,b=3`; `None` where text stands before the first key.
fn pairs(text: &str) -> Option<Vec<(&str, String)>> {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for part in text.split(',') {
        if let Some((key, value)) = part.split_once('=') {
            pairs.push((key.trim(), value.trim().to_owned()));
        } else {
            let (_, value) = pairs.last_mut()?;
            *value += ",";
            *value += part.trim();
        }
    }
    Some(pairs)
}

/// What replaces a preset's normalization.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Normalize {
    /// Subtracted from red, green and blue.
    pub(crate) mean: Option<[f32; 3]>,
    /// What the rest is divided by.
    pub(crate) std: Option<[f32; 3]>,
    /// What the largest gray level is before both: 1 or 255.
    pub(crate) scale: Option<f32>,
}

impl FromStr for Normalize {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "preset, or mean=R,G,B,std=R,G,B,scale=1|255 or some of these";
        let mut normalize = Self::default();
        if text == "preset" {
            return Ok(normalize);
        }
        let Some(pairs) = pairs(text) else {
            return expected(EXPECTED);
        };
        for (key, value) in pairs {
            match key {
                "mean" => normalize.mean = Some(channels(&value)?),
                "std" => normalize.std = Some(above_0(channels(&value)?)?),
                "scale" => normalize.scale = Some(scale(&value)?),
                _ => return expected(EXPECTED),
            }
        }
        Ok(normalize)
    }
}

/// Three numbers, or one for all.
fn channels(text: &str) -> Result<[f32; 3], ParseValueError> {
    match numbers(text)[..] {
        [red, green, blue] if [red, green, blue].into_iter().all(f32::is_finite) => {
            Ok([red, green, blue])
        }
        [all] if all.is_finite() => Ok([all; 3]),
        _ => expected(CHANNELS),
    }
}

const CHANNELS: &str =
    "three numbers for red, green and blue, as in mean=0.485,0.456,0.406, or one for all";

fn above_0(channels: [f32; 3]) -> Result<[f32; 3], ParseValueError> {
    if channels.iter().all(|number| *number > 0.0) {
        Ok(channels)
    } else {
        expected("a std above 0")
    }
}

fn scale(text: &str) -> Result<f32, ParseValueError> {
    match text {
        "1" => Ok(1.0),
        "255" => Ok(255.0),
        _ => expected("scale=1 or scale=255"),
    }
}

impl Display for Normalize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = |name, values: Option<[f32; 3]>| {
            values.map(|[red, green, blue]| format!("{name}={red},{green},{blue}"))
        };
        let scale = self.scale.map(|scale| format!("scale={scale}"));
        let parts = [
            channels("mean", self.mean),
            channels("std", self.std),
            scale,
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(match &*parts.join(",") {
            "" => "preset",
            parts => parts,
        })
    }
}

/// How training images are varied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Augment {
    /// Whether they are.
    pub(crate) is_on: bool,
    /// Area of the crop relative to the image's.
    pub(crate) scale: Span,
    /// The crop's width by its height.
    pub(crate) aspect: Span,
    /// Probability of a horizontal flip.
    pub(crate) flip: f64,
    pub(crate) jitter: ColorJitter,
}

impl Default for Augment {
    /// As torchvision's `RandomResizedCrop` and `RandomHorizontalFlip`.
    fn default() -> Self {
        Self {
            is_on: true,
            scale: Span {
                from: 0.08,
                to: 1.0,
            },
            aspect: Span {
                from: 3.0 / 4.0,
                to: 4.0 / 3.0,
            },
            flip: 0.5,
            jitter: ColorJitter::default(),
        }
    }
}

impl FromStr for Augment {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "default, off, or scale=LO,HI,aspect=LO,HI,flip=P,jitter=B,C,S,H or some of these";
        let mut augment = Self::default();
        match text {
            "default" => return Ok(augment),
            "off" => augment.is_on = false,
            _ => {
                let Some(pairs) = pairs(text) else {
                    return expected(EXPECTED);
                };
                for (key, value) in pairs {
                    match key {
                        "scale" => augment.scale = fractions(&value)?,
                        "aspect" => augment.aspect = value.parse()?,
                        "flip" => augment.flip = parse_fraction(&value)?,
                        "jitter" => augment.jitter = jitter(&value)?,
                        _ => return expected(EXPECTED),
                    }
                }
            }
        }
        Ok(augment)
    }
}

fn fractions(text: &str) -> Result<Span, ParseValueError> {
    match text.parse() {
        Ok(span @ Span { to, .. }) if to <= 1.0 => Ok(span),
        _ => expected(
            "two numbers above 0 and at most 1, the second not below the first, as in scale=0.08,1",
        ),
    }
}

fn jitter(text: &str) -> Result<ColorJitter, ParseValueError> {
    if text == "off" {
        return Ok(ColorJitter::default());
    }
    let is_factor = |x: f64| x >= 0.0 && x.is_finite();
    let numbers: Vec<f64> = numbers(text);
    match numbers[..] {
        [brightness, contrast, saturation, hue]
            if numbers.iter().copied().all(is_factor) && hue <= 0.5 =>
        {
            Ok(ColorJitter {
                brightness,
                contrast,
                saturation,
                hue,
            })
        }
        _ => expected(
            "\"off\" or four numbers from 0, the last at most 0.5, as in jitter=0.4,0.4,0.4,0.1",
        ),
    }
}

impl Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_on {
            return f.write_str("off");
        }
        let (scale, aspect, flip) = (self.scale, self.aspect, self.flip);
        write!(f, "scale={scale},aspect={aspect},flip={flip}")?;
        let ColorJitter {
            brightness,
            contrast,
            saturation,
            hue,
        } = self.jitter;
        if self.jitter == ColorJitter::default() {
            return Ok(());
        }
        write!(f, ",jitter={brightness},{contrast},{saturation},{hue}")
    }
}

/// How the learning rate falls after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LearningRateDecay {
    Constant,
    /// To zero at the end.
    Cosine,
    Step {
        /// Steps after which it falls again.
        every: usize,
        factor: f64,
    },
}

/// The learning rate over the steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) decay: LearningRateDecay,
    /// Steps of linear warm-up.
    pub(crate) warm_up: usize,
}

impl FromStr for Schedule {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (decay, warm_up) = text.split_once(",warm-up=").unwrap_or((text, "0"));
        let decay = match (
            decay,
            decay.strip_prefix("step=").map(numbers::<f64>).as_deref(),
        ) {
            ("constant", _) => LearningRateDecay::Constant,
            ("cosine", _) => LearningRateDecay::Cosine,
            (_, Some(&[every, factor]))
                if every >= 1.0 && every.fract() == 0.0 && factor > 0.0 && factor <= 1.0 =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a whole number from 1"
                )]
                let every = every as usize;
                LearningRateDecay::Step { every, factor }
            }
            _ => {
                return expected(
                    "constant, cosine or step=N,FACTOR with N steps from 1 and FACTOR above 0 and at most 1, as in \
                     step=1000,0.1; then ,warm-up=N or nothing",
                );
            }
        };
        Ok(Self {
            decay,
            warm_up: parse_count_or_zero(warm_up)?,
        })
    }
}

impl Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decay {
            LearningRateDecay::Constant => f.write_str("constant")?,
            LearningRateDecay::Cosine => f.write_str("cosine")?,
            LearningRateDecay::Step { every, factor } => write!(f, "step={every},{factor}")?,
        }
        match self.warm_up {
            0 => Ok(()),
            steps => write!(f, ",warm-up={steps}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are_printed() {
        for text in [
            "preset",
            "mean=-0.5,0,0.5",
            "mean=0.5,0.25,1,std=1,2,3,scale=255",
        ] {
            assert_eq!(text.parse::<Normalize>().unwrap().to_string(), text);
        }
        let default = "scale=0.08,1,aspect=0.75,1.3333333333333333,flip=0.5";
        assert_eq!(Augment::default().to_string(), default);
        for text in [
            "off",
            default,
            "scale=0.3,1,aspect=0.9,1.1,flip=0.2,jitter=0.4,0.4,0.4,0.1",
        ] {
            assert_eq!(text.parse::<Augment>().unwrap().to_string(), text);
        }
        let flip = Augment {
            flip: 0.0,
            ..Augment::default()
        };
        assert_eq!("flip=0".parse::<Augment>().unwrap(), flip);
        for text in [
            "constant",
            "cosine,warm-up=4",
            "step=100,0.5",
            "step=1,1,warm-up=7",
        ] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_values_are_refused() {
        for text in [
            "",
            "0.5",
            "mean=1,2",
            "mean=1,nan,2",
            "mean=inf",
            "mean=a",
            "mean=1e39",
            "std=0.5,0,0.5",
            "std=-1",
            "std=0",
            "scale=2",
            "center=1",
            "1,mean=2",
        ] {
            assert!(text.parse::<Normalize>().is_err(), "{text}");
        }
        for text in [
            "on",
            "flip=-1",
            "flip=2",
            "scale=1",
            "scale=0.5,2",
            "aspect=2,1",
            "jitter=0.1",
            "jitter=0.1,0.1,0.1,0.6",
            "jitter=-1,0,0,0",
            "jitter=0,0,0,nan",
            "turn=1",
            "",
        ] {
            assert!(text.parse::<Augment>().is_err(), "{text}");
        }
        for text in [
            "step",
            "step=0,0.1",
            "step=10,2",
            "step=10,nan",
            "step=1.5,0.5",
            "linear",
            "cosine,warm-up=-1",
            "cosine,warm-up",
            "warm-up=3",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
