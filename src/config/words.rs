//! The values of flags and configuration keys that are words or numbers.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use thiserror::Error;

use crate::input::checkpoints::StepFrom;
use crate::input::transform::Preset;
use crate::render::{Colormap, Range};

/// A value that is none of the words or numbers its flag takes.
#[derive(Debug, Error)]
#[error("expected {expected}")]
pub struct NotAWord {
    expected: &'static str,
}

impl NotAWord {
    pub(super) const fn new(expected: &'static str) -> Self {
        Self { expected }
    }
}

/// A number of pixels, or "off".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Not done.
    Off,
    /// This many pixels, at least 1.
    Pixels(u32),
}

impl Size {
    /// The number of pixels, if any.
    #[must_use]
    pub const fn pixels(self) -> Option<u32> {
        match self {
            Self::Off => None,
            Self::Pixels(n) => Some(n),
        }
    }
}

/// More pixels than a picture for a network ever has; keeps a slip of the finger from asking for
/// terabytes.
const LARGEST_SIZE: u32 = 16_384;

impl FromStr for Size {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(n) if (1..=LARGEST_SIZE).contains(&n) => Ok(Self::Pixels(n)),
            Err(_) if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ => Err(NotAWord {
                expected: "a number of pixels from 1 to 16384, or \"off\"",
            }),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Pixels(n) => n.fmt(f),
        }
    }
}

/// How many maps of a layer are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Every one.
    All,
    /// The first ones, at least 1.
    First(usize),
}

impl Limit {
    /// The number of maps, if limited.
    #[must_use]
    pub const fn count(self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::First(n) => Some(n),
        }
    }
}

impl FromStr for Limit {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(n) if n > 0 => Ok(Self::First(n)),
            Err(_) if text.eq_ignore_ascii_case("all") => Ok(Self::All),
            _ => Err(NotAWord {
                expected: "a number of maps from 1, or \"all\"",
            }),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::First(n) => n.fmt(f),
        }
    }
}

/// What happens at an image or checkpoint that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// The run ends there; what was written stays.
    Stop,
    /// It is left out, listed at the end, and the exit code is 1.
    Skip,
}

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
        })
    }
}

/// Reads `map`, `layer`, `fixed=LO,HI` or `LO,HI`.
///
/// # Errors
///
/// Anything else, and a range whose ends are not finite or not in order.
pub fn parse_range(text: &str) -> Result<Range, NotAWord> {
    let wrong = NotAWord {
        expected: "map, layer or fixed=LO,HI with two finite numbers, LO below HI (as in fixed=0,6.5)",
    };
    match text {
        "map" => return Ok(Range::Map),
        "layer" => return Ok(Range::Layer),
        _ => {}
    }
    let numbers = text.strip_prefix("fixed=").unwrap_or(text);
    let ends = numbers.split_once(',').and_then(|(lo, hi)| {
        let number = |text: &str| text.trim().parse::<f32>().ok().filter(|n| n.is_finite());
        Some((number(lo)?, number(hi)?))
    });
    match ends {
        Some((lo, hi)) if lo < hi => Ok(Range::Fixed(lo, hi)),
        _ => Err(wrong),
    }
}

/// Writes a range as [`parse_range`] reads it.
#[must_use]
pub fn range_word(range: Range) -> String {
    match range {
        Range::Map => "map".to_owned(),
        Range::Layer => "layer".to_owned(),
        Range::Fixed(lo, hi) => format!("fixed={lo},{hi}"),
    }
}

/// The colormaps by name.
const COLORMAPS: [(&str, Colormap); 4] = [
    ("grey", Colormap::Grey),
    ("viridis", Colormap::Viridis),
    ("magma", Colormap::Magma),
    ("diverging", Colormap::Diverging),
];

/// Reads a colormap's name.
///
/// # Errors
///
/// There is no such colormap.
pub fn parse_colormap(text: &str) -> Result<Colormap, NotAWord> {
    let name = if text == "gray" { "grey" } else { text };
    COLORMAPS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, colormap)| *colormap)
        .ok_or(NotAWord {
            expected: "grey, viridis, magma or diverging",
        })
}

/// The name of a colormap.
#[must_use]
pub fn colormap_word(colormap: Colormap) -> &'static str {
    COLORMAPS
        .iter()
        .find(|(_, known)| *known == colormap)
        .map_or("grey", |(name, _)| name)
}

/// Reads a preset's name.
///
/// # Errors
///
/// There is no such preset.
pub fn parse_preset(text: &str) -> Result<Preset, NotAWord> {
    Preset::ALL
        .into_iter()
        .find(|preset| preset.name() == text)
        .ok_or(NotAWord {
            expected: "imagenet, article or caffe",
        })
}

/// Reads `name` or `index`.
///
/// # Errors
///
/// Anything else.
pub fn parse_step_from(text: &str) -> Result<StepFrom, NotAWord> {
    match text {
        "name" => Ok(StepFrom::Name),
        "index" => Ok(StepFrom::Index),
        _ => Err(NotAWord {
            expected: "name or index",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_limits_are_read_back_as_they_are_printed() {
        for text in ["off", "1", "224"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["all", "1", "64"] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        for text in ["0", "-3", "16385", "99999999999", "", "big"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert!("0".parse::<Limit>().is_err());
    }

    #[test]
    fn ranges_are_read_in_every_form() {
        assert_eq!(
            parse_range("fixed=-1, 2.5").unwrap(),
            Range::Fixed(-1.0, 2.5)
        );
        assert_eq!(parse_range("0,6").unwrap(), Range::Fixed(0.0, 6.0));
        for range in [Range::Map, Range::Layer, Range::Fixed(-0.25, 1e6)] {
            assert_eq!(parse_range(&range_word(range)).unwrap(), range);
        }
        for text in ["fixed", "1,1", "2,1", "0,inf", "nan,1", "0", "0,1,2", ""] {
            assert!(parse_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn colormaps_are_read_back_as_they_are_named() {
        for (name, colormap) in COLORMAPS {
            assert_eq!(parse_colormap(name).unwrap(), colormap);
            assert_eq!(colormap_word(colormap), name);
        }
        assert!(parse_colormap("jet").is_err());
    }
}
