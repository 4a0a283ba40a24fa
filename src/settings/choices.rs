//! What is shown of a layer, and what it is compared with, as they are typed.

use std::convert::Infallible;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::values::{Count, ParseValueError};
use feature_grid::Range;

/// What black and white stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RangeChoice {
    /// One range for a layer at all steps.
    Run,
    /// A range that rendering finds at every step.
    By(Range),
}

impl FromStr for RangeChoice {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "run" => return Ok(Self::Run),
            "map" => return Ok(Self::By(Range::Map)),
            "layer" => return Ok(Self::By(Range::Layer)),
            _ => {}
        }
        let ends = text.strip_prefix("fixed=").unwrap_or(text);
        let ends = ends.split_once(',').and_then(|(lo, hi)| {
            let number = |text: &str| text.trim().parse::<f32>().ok().filter(|n| n.is_finite());
            Some((number(lo)?, number(hi)?))
        });
        match ends {
            Some((lo, hi)) if lo < hi => Ok(Self::By(Range::Fixed(lo, hi))),
            _ => Err(ParseValueError(
                "map, layer, run or fixed=LO,HI with two finite numbers, LO below HI (as in fixed=0,6.5)",
            )),
        }
    }
}

impl Display for RangeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("run"),
            Self::By(Range::Map) => f.write_str("map"),
            Self::By(Range::Layer) => f.write_str("layer"),
            Self::By(Range::Fixed(lo, hi)) => write!(f, "fixed={lo},{hi}"),
        }
    }
}

/// Which maps of a layer are shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MapsChoice {
    /// The first ones, or all.
    First(Count),
    /// Those of the largest variance.
    Top(usize),
    /// Those that change most.
    Changed(usize),
    /// These.
    Channels(Vec<usize>),
}

impl FromStr for MapsChoice {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            ParseValueError(
                "all, first:N, top:N or changed:N with N from 1, or channels counted from 0, such as 3,17,42",
            )
        };
        let count = |text: &str| {
            text.parse()
                .ok()
                .filter(|count| *count > 0)
                .ok_or_else(unknown)
        };
        match text.split_once(':') {
            Some(("first", n)) => Ok(Self::First(Some(count(n)?).into())),
            Some(("top", n)) => Ok(Self::Top(count(n)?)),
            Some(("changed", n)) => Ok(Self::Changed(count(n)?)),
            None if text.eq_ignore_ascii_case("all") => Ok(Self::First(None.into())),
            None => {
                let channels = text.split(',').map(|channel| channel.trim().parse());
                let channels = channels.collect::<Result<_, _>>();
                channels.map(Self::Channels).map_err(|_| unknown())
            }
            Some(_) => Err(unknown()),
        }
    }
}

impl Display for MapsChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(count) => match count.number() {
                Some(count) => write!(f, "first:{count}"),
                None => f.write_str("all"),
            },
            Self::Top(count) => write!(f, "top:{count}"),
            Self::Changed(count) => write!(f, "changed:{count}"),
            Self::Channels(channels) => {
                let channels: Vec<String> = channels.iter().map(ToString::to_string).collect();
                f.write_str(&channels.join(","))
            }
        }
    }
}

/// What the pictures of changes show the difference from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AgainstChoice {
    /// The first step.
    First,
    /// The step before.
    Previous,
    /// A weights file.
    File(PathBuf),
}

impl AgainstChoice {
    /// The weights file.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::First | Self::Previous => None,
        }
    }
}

impl FromStr for AgainstChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "first" => Self::First,
            "previous" => Self::Previous,
            file => Self::File(file.into()),
        })
    }
}

impl Display for AgainstChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Previous => f.write_str("previous"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are_printed() {
        for text in ["run", "map", "layer", "fixed=-0.25,1000000"] {
            assert_eq!(text.parse::<RangeChoice>().unwrap().to_string(), text);
        }
        for text in ["all", "first:64", "top:8", "changed:1", "3,17,42", "5"] {
            assert_eq!(text.parse::<MapsChoice>().unwrap().to_string(), text);
        }
        for text in ["first", "previous", "a/b.pth"] {
            assert_eq!(text.parse::<AgainstChoice>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn ranges_are_read_in_every_form() {
        let range = |text: &str| text.parse::<RangeChoice>().ok();
        let fixed = |lo, hi| Some(RangeChoice::By(Range::Fixed(lo, hi)));
        assert_eq!(range("fixed=-1, 2.5"), fixed(-1.0, 2.5));
        assert_eq!(range("0,6"), fixed(0.0, 6.0));
        for text in ["fixed", "1,1", "2,1", "0,inf", "nan,1", "0", "0,1,2", ""] {
            assert_eq!(range(text), None, "{text}");
        }
    }

    #[test]
    fn other_maps_are_refused() {
        for text in [
            "first:0", "first", "top:", "top:x", "best:3", "3,,4", "-1", "",
        ] {
            assert!(text.parse::<MapsChoice>().is_err(), "{text}");
        }
    }
}
