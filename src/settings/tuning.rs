//! Settings of several numbers: `key=value,...`, whose lists go on to the next key.

use std::fmt::{self, Display};

use super::text::written_as_text;
use super::values::{numbers, parse_fraction, read_from_text};
use crate::data::labeled::augment::ColorJitter;
use crate::schedule::Decay;

written_as_text!(Normalize, Augment, Schedule);

read_from_text!(Normalize: "preset, or mean=R,G,B,std=R,G,B,scale=1|255 or some of these: three finite numbers for red, green and blue, \
                            or one for all, and a std above 0");
read_from_text!(Augment: "default, off, or scale=LO,HI,aspect=LO,HI,flip=P,jitter=B,C,S,H or some of these: LO and HI are two numbers above 0, \
                          the second not below the first, of scale at most 1; P is a number from 0 to 1; jitter is off or four numbers from 0, the last \
                          at most 0.5");
read_from_text!(Schedule: "constant, cosine or step=N,FACTOR with N steps from 1 and FACTOR above 0 and at most 1, as in \
                           step=1000,0.1; then ,warm-up=N with N a whole number from 0, or nothing");

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

impl Normalize {
    fn read(text: &str) -> Option<Self> {
        let mut normalize = Self::default();
        if text == "preset" {
            return Some(normalize);
        }
        for (key, value) in pairs(text)? {
            match key {
                "mean" => normalize.mean = Some(channels(&value, |_| true)?),
                "std" => normalize.std = Some(channels(&value, |std| std > 0.0)?),
                "scale" if value == "1" => normalize.scale = Some(1.0),
                "scale" if value == "255" => normalize.scale = Some(255.0),
                _ => return None,
            }
        }
        Some(normalize)
    }
}

/// Three finite numbers, or one for all.
fn channels(text: &str, is_valid: fn(f32) -> bool) -> Option<[f32; 3]> {
    let channels = match numbers(text)[..] {
        [red, green, blue] => [red, green, blue],
        [all] => [all; 3],
        _ => return None,
    };
    let is_valid = |number: f32| number.is_finite() && is_valid(number);
    channels.into_iter().all(is_valid).then_some(channels)
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
    pub(crate) is_on: bool,
    /// Area of the crop relative to the image's, from and to.
    pub(crate) scale: [f64; 2],
    /// The crop's width by its height, from and to.
    pub(crate) aspect: [f64; 2],
    pub(crate) flip: f64,
    pub(crate) jitter: ColorJitter,
}

impl Default for Augment {
    /// As torchvision's `RandomResizedCrop` and `RandomHorizontalFlip`.
    fn default() -> Self {
        Self {
            is_on: true,
            scale: [0.08, 1.0],
            aspect: [3.0 / 4.0, 4.0 / 3.0],
            flip: 0.5,
            jitter: ColorJitter::default(),
        }
    }
}

impl Augment {
    fn read(text: &str) -> Option<Self> {
        let mut augment = Self::default();
        if text == "default" {
            return Some(augment);
        }
        if text == "off" {
            augment.is_on = false;
            return Some(augment);
        }
        for (key, value) in pairs(text)? {
            match key {
                "scale" => augment.scale = span(&value, 1.0)?,
                "aspect" => augment.aspect = span(&value, f64::MAX)?,
                "flip" => augment.flip = parse_fraction(&value).ok()?,
                "jitter" => augment.jitter = jitter(&value)?,
                _ => return None,
            }
        }
        Some(augment)
    }
}

fn span(text: &str, most: f64) -> Option<[f64; 2]> {
    let &[from, to] = numbers::<f64>(text).as_array()?;
    (from > 0.0 && from <= to && to <= most).then_some([from, to])
}

fn jitter(text: &str) -> Option<ColorJitter> {
    if text == "off" {
        return Some(ColorJitter::default());
    }
    let &[brightness, contrast, saturation, hue] = numbers::<f64>(text).as_array()?;
    let factors = [brightness, contrast, saturation];
    let is_valid = factors
        .iter()
        .all(|factor| (0.0..=f64::MAX).contains(factor));
    (is_valid && (0.0..=0.5).contains(&hue)).then_some(ColorJitter {
        brightness,
        contrast,
        saturation,
        hue,
    })
}

impl Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_on {
            return f.write_str("off");
        }
        let ([lo, hi], [narrow, wide], flip) = (self.scale, self.aspect, self.flip);
        write!(f, "scale={lo},{hi},aspect={narrow},{wide},flip={flip}")?;
        if self.jitter == ColorJitter::default() {
            return Ok(());
        }
        let ColorJitter {
            brightness,
            contrast,
            saturation,
            hue,
        } = self.jitter;
        write!(f, ",jitter={brightness},{contrast},{saturation},{hue}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) decay: Decay,
    /// Steps of linear warm-up.
    pub(crate) warm_up: usize,
}

impl Schedule {
    fn read(text: &str) -> Option<Self> {
        let (decay, warm_up) = text.split_once(",warm-up=").unwrap_or((text, "0"));
        let decay = match (decay, decay.strip_prefix("step=")) {
            ("constant", _) => Decay::Constant,
            ("cosine", _) => Decay::Cosine,
            (_, Some(step)) => {
                let (every, factor) = step.split_once(',')?;
                let every = every.trim().parse().ok().filter(|every| *every > 0)?;
                let factor = factor.trim().parse().ok();
                let factor = factor.filter(|factor| *factor > 0.0 && *factor <= 1.0)?;
                Decay::Step { every, factor }
            }
            _ => return None,
        };
        let warm_up = warm_up.parse().ok()?;
        Some(Self { decay, warm_up })
    }
}

impl Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decay {
            Decay::Constant => f.write_str("constant")?,
            Decay::Cosine => f.write_str("cosine")?,
            Decay::Step { every, factor } => write!(f, "step={every},{factor}")?,
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
        assert_eq!(
            "scale=0.08, 1".parse::<Augment>().unwrap(),
            Augment::default()
        );
        let flip = Augment {
            flip: 0.0,
            ..Augment::default()
        };
        assert_eq!("flip=0".parse::<Augment>().unwrap(), flip);
        assert_eq!("flip=0,jitter=off".parse::<Augment>().unwrap(), flip);
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
        for text in ["1,0.5", "0,1", "1", "a,b", "0.1,inf", "0.1,nan", "2,1"] {
            assert!(span(text, f64::MAX).is_none(), "{text}");
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
