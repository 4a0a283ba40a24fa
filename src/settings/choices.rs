//! Settings that are one of several words, a number or a path.

use std::fmt::{self, Display};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use jiff::SignedDuration;
use serde::Serialize;

use super::paths;
use super::text::written_as_text;
use super::values::{expected, numbers, words_or_value};
use crate::data::missing::meant;
use feature_grid::Range;

written_as_text!(RangeChoice, MapsChoice, ChangeChoice, FollowChoice);

/// What black and white stand for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RangeChoice {
    /// One range for a layer at all steps.
    Run,
    /// A range that rendering finds at every step.
    By(Range),
    File(PathBuf),
}

impl FromStr for RangeChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "map (or channel), layer, run, fixed=LO,HI with two finite numbers, LO below HI (as in fixed=0,6.5), \
                                or the ranges.toml of another run";
        let ends: Vec<f32> = numbers(text.strip_prefix("fixed=").unwrap_or(text));
        match (text, &ends[..]) {
            ("run", _) => Ok(Self::Run),
            ("map" | "channel", _) => Ok(Self::By(Range::Map)),
            ("layer", _) => Ok(Self::By(Range::Layer)),
            (_, &[lo, hi]) if lo < hi && lo.is_finite() && hi.is_finite() => {
                Ok(Self::By(Range::Fixed(lo, hi)))
            }
            _ if is_path(text) || Path::new(text).extension().is_some_and(|end| end == "toml") => {
                Ok(Self::File(paths::parse(text.into())?))
            }
            _ => Err(expected(EXPECTED)),
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
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MapsChoice {
    All,
    /// So many, from channel 0.
    First(usize),
    Top(usize),
    Changed(usize),
    Channels(Vec<usize>),
    /// Those that the run in this folder shows.
    Of(PathBuf),
}

impl FromStr for MapsChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "all, a number from 1, top:N, changed:N, channels counted from 0 such as 3,17,42 (a single \
                                one: 42,), or the folder of another run";
        let (kind, number) = text.split_once(':').unwrap_or(("first", text));
        let count = number.parse().ok().filter(|count| *count > 0);
        match (kind, count) {
            _ if text.eq_ignore_ascii_case("all") => Ok(Self::All),
            ("first", Some(count)) => Ok(Self::First(count)),
            ("top", Some(count)) => Ok(Self::Top(count)),
            ("changed", Some(count)) => Ok(Self::Changed(count)),
            _ if is_path(text) => Ok(Self::Of(paths::parse(text.into())?)),
            _ if text.contains(',') => {
                let channels = text.strip_suffix(',').unwrap_or(text).split(',');
                let channels: Result<_, _> = channels.map(|one| one.trim().parse()).collect();
                channels.map(Self::Channels).map_err(|_| expected(EXPECTED))
            }
            _ => Err(expected(EXPECTED)),
        }
    }
}

impl Display for MapsChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::First(count) => count.fmt(f),
            Self::Top(count) => write!(f, "top:{count}"),
            Self::Changed(count) => write!(f, "changed:{count}"),
            Self::Channels(channels) if channels.len() == 1 => write!(f, "{},", channels[0]),
            Self::Channels(channels) => {
                let channels: Vec<String> = channels.iter().map(ToString::to_string).collect();
                f.write_str(&channels.join(","))
            }
            Self::Of(run) => run.display().fmt(f),
        }
    }
}

/// Whether a value is a path and not a word: it has a separator, is there, or is like what is there.
fn is_path(text: &str) -> bool {
    let is_separator = |c| c == '/' || c == MAIN_SEPARATOR;
    let path = Path::new(text);
    text.starts_with('~') || text.contains(is_separator) || path.exists() || meant(path).is_some()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChangeChoice {
    Off,
    First,
    Previous,
    File(PathBuf),
}

impl ChangeChoice {
    pub(crate) fn is_shown(&self) -> bool {
        *self != Self::Off
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }
}

words_or_value! {
    ChangeChoice: Off "off" or "false", First "first" or "true", Previous "previous";
    File path => paths::parse(path.into()), path => path.display()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowChoice {
    Off,
    /// Until it is interrupted.
    On,
    /// Until none came for so long.
    Idle(SignedDuration),
    /// Until standard input ends, and all that came by then are shown.
    Stdin,
}

words_or_value! {
    FollowChoice: Off "off" or "false", On "on" or "true", Stdin "stdin";
    Idle time => idle_time(time), time => format!("{time:#}")
}

fn idle_time(text: &str) -> Result<SignedDuration, String> {
    let time = text.parse().ok().filter(SignedDuration::is_positive);
    time.ok_or_else(|| expected("a time above 0, such as 10m, 90s or 1h30m, or stdin"))
}

/// How steps are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CompareBy {
    Flattened,
    MeanPooled,
    Off,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are_printed() {
        for text in [
            "run",
            "map",
            "layer",
            "fixed=-0.25,1000000",
            "runs/a/ranges.toml",
        ] {
            assert_eq!(text.parse::<RangeChoice>().unwrap().to_string(), text);
        }
        for text in ["all", "64", "top:8", "changed:1", "3,17,42", "5,", "runs/a"] {
            assert_eq!(text.parse::<MapsChoice>().unwrap().to_string(), text);
        }
        assert_eq!("first:64".parse::<MapsChoice>().unwrap().to_string(), "64");
        for text in ["off", "first", "previous", "a/b.pth"] {
            assert_eq!(text.parse::<ChangeChoice>().unwrap().to_string(), text);
        }
        for (text, printed) in [
            ("true", "on"),
            ("off", "off"),
            ("90s", "1m 30s"),
            ("stdin", "stdin"),
        ] {
            let choice = text.parse::<FollowChoice>().unwrap();
            assert_eq!(choice.to_string(), printed);
            assert_eq!(printed.parse::<FollowChoice>().unwrap(), choice);
        }
    }

    #[test]
    fn ranges_are_read_in_every_form() {
        let range = |text: &str| text.parse::<RangeChoice>().ok();
        let fixed = |lo, hi| Some(RangeChoice::By(Range::Fixed(lo, hi)));
        assert_eq!(range("fixed=-1, 2.5"), fixed(-1.0, 2.5));
        assert_eq!(range("0,6"), fixed(0.0, 6.0));
        assert_eq!(range("channel"), Some(RangeChoice::By(Range::Map)));
        for text in [
            "fixed", "1,1", "2,1", "0,inf", "nan,1", "0", "0,1,2", "", "3,1", "ranges",
        ] {
            assert_eq!(range(text), None, "{text}");
        }
    }

    #[test]
    fn other_values_are_refused() {
        for text in [
            "0", "first:0", "first", "top:", "top:x", "best:3", "3,,4", "-1", "", ",",
        ] {
            assert!(text.parse::<MapsChoice>().is_err(), "{text}");
        }
        for text in ["s3://b/run", "~nobody/run"] {
            assert!(text.parse::<MapsChoice>().is_err(), "{text}");
        }
        for text in ["soon", "0s", "-1m", ""] {
            assert!(text.parse::<FollowChoice>().is_err(), "{text}");
        }
    }
}
