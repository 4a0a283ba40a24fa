//! The values of `vggscope train`'s flags that are words or lists of numbers.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use super::words::NotAWord;
use crate::train::Decay;

/// How often something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Never, but where it is always done.
    Off,
    /// At the end of every epoch.
    Epoch,
    /// At every step whose number this divides.
    Steps(u64),
}

impl Every {
    /// Whether it is done at `step`, which ends its epoch or does not.
    #[must_use]
    pub fn includes(self, step: u64, ends_epoch: bool) -> bool {
        match self {
            Self::Off => false,
            Self::Epoch => ends_epoch,
            Self::Steps(every) => step.is_multiple_of(every),
        }
    }
}

impl FromStr for Every {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(n) if n > 0 => Ok(Self::Steps(n)),
            Err(_) if text.eq_ignore_ascii_case("epoch") => Ok(Self::Epoch),
            Err(_) if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ => Err(NotAWord::new(
                "a number of steps from 1, \"epoch\" or \"off\"",
            )),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Epoch => f.write_str("epoch"),
            Self::Steps(n) => n.fmt(f),
        }
    }
}

/// How many checkpoints stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every one.
    All,
    /// The newest ones, at least 1.
    Newest(usize),
}

impl Keep {
    /// The number, if limited.
    #[must_use]
    pub const fn count(self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Newest(n) => Some(n),
        }
    }
}

impl FromStr for Keep {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(n) if n > 0 => Ok(Self::Newest(n)),
            Err(_) if text.eq_ignore_ascii_case("all") => Ok(Self::All),
            _ => Err(NotAWord::new("a number of checkpoints from 1, or \"all\"")),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Newest(n) => n.fmt(f),
        }
    }
}

/// The longest that gradients may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormLimit {
    /// As long as they are.
    Off,
    /// This long.
    At(f64),
}

impl NormLimit {
    /// The limit, if any.
    #[must_use]
    pub const fn limit(self) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::At(norm) => Some(norm),
        }
    }
}

impl FromStr for NormLimit {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f64>() {
            Ok(norm) if norm > 0.0 && norm.is_finite() => Ok(Self::At(norm)),
            Err(_) if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ => Err(NotAWord::new("a number above 0, or \"off\"")),
        }
    }
}

impl fmt::Display for NormLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(norm) => norm.fmt(f),
        }
    }
}

/// Which parameters stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freeze {
    /// None.
    None,
    /// Those of all of `features`.
    Features,
    /// Those of all layers up to and with this one.
    UpTo(String),
}

impl FromStr for Freeze {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "none" => Self::None,
            "features" => Self::Features,
            layer => Self::UpTo(layer.to_owned()),
        })
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Features => "features",
            Self::UpTo(layer) => layer,
        })
    }
}

/// From a number to another that is not below it, both above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The lower end.
    pub from: f64,
    /// The upper end.
    pub to: f64,
}

impl FromStr for Span {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match numbers(text)[..] {
            [from, to] if from > 0.0 && from <= to && to.is_finite() => Ok(Self { from, to }),
            _ => Err(NotAWord::new(
                "two numbers above 0, the second not below the first, as in 0.08,1",
            )),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.from, self.to)
    }
}

/// How far colours are varied; all 0 for not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Jitter {
    /// The factor is drawn from `1 - b` to `1 + b`.
    pub brightness: f64,
    /// The same for contrast.
    pub contrast: f64,
    /// The same for saturation.
    pub saturation: f64,
    /// The hue is turned by up to this share of the circle, at most 0.5.
    pub hue: f64,
}

impl FromStr for Jitter {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::default());
        }
        match numbers(text)[..] {
            [brightness, contrast, saturation, hue]
                if [brightness, contrast, saturation]
                    .iter()
                    .all(|x| *x >= 0.0 && x.is_finite())
                    && (0.0..=0.5).contains(&hue) =>
            {
                Ok(Self {
                    brightness,
                    contrast,
                    saturation,
                    hue,
                })
            }
            _ => Err(NotAWord::new(
                "\"off\" or four numbers from 0, the last at most 0.5, as in 0.4,0.4,0.4,0.1",
            )),
        }
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("off");
        }
        let Self {
            brightness,
            contrast,
            saturation,
            hue,
        } = self;
        write!(f, "{brightness},{contrast},{saturation},{hue}")
    }
}

/// A number of things of which there must be some.
///
/// # Errors
///
/// Anything but a whole number from 1.
pub fn parse_count(text: &str) -> Result<NonZeroUsize, NotAWord> {
    text.parse()
        .map_err(|_| NotAWord::new("a whole number from 1"))
}

/// A number of things of which there may be none.
///
/// # Errors
///
/// Anything but a whole number from 0.
pub fn parse_count_or_none(text: &str) -> Result<usize, NotAWord> {
    text.parse()
        .map_err(|_| NotAWord::new("a whole number from 0"))
}

/// A share, from 0 to 1.
///
/// # Errors
///
/// Anything else.
pub fn parse_share(text: &str) -> Result<f64, NotAWord> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(NotAWord::new("a number from 0 to 1")),
    }
}

/// Two shares above 0.
///
/// # Errors
///
/// Anything else.
pub fn parse_shares(text: &str) -> Result<Span, NotAWord> {
    match text.parse() {
        Ok(span @ Span { to, .. }) if to <= 1.0 => Ok(span),
        _ => Err(NotAWord::new(
            "two numbers above 0 and at most 1, the second not below the first, as in 0.08,1",
        )),
    }
}

/// `constant`, `cosine` or `step=N,FACTOR`.
///
/// # Errors
///
/// Anything else.
pub fn parse_schedule(text: &str) -> Result<Decay, NotAWord> {
    let unknown = || {
        NotAWord::new(
            "constant, cosine or step=N,FACTOR with N steps from 1 and FACTOR above 0 and at most 1, as in step=1000,0.1",
        )
    };
    match text {
        "constant" => Ok(Decay::Constant),
        "cosine" => Ok(Decay::Cosine),
        other => {
            let list = other.strip_prefix("step=").ok_or_else(unknown)?;
            let (every, factor) = list.split_once(',').ok_or_else(unknown)?;
            match (every.trim().parse(), factor.trim().parse::<f64>()) {
                (Ok(every), Ok(factor)) if every > 0 && factor > 0.0 && factor <= 1.0 => {
                    Ok(Decay::Step { every, factor })
                }
                _ => Err(unknown()),
            }
        }
    }
}

/// The schedule as it is typed.
#[must_use]
pub fn schedule_word(decay: Decay) -> String {
    match decay {
        Decay::Constant => "constant".to_owned(),
        Decay::Cosine => "cosine".to_owned(),
        Decay::Step { every, factor } => format!("step={every},{factor}"),
    }
}

/// The numbers of a comma-separated list; NaN, which fits no range, for what is none.
fn numbers(text: &str) -> Vec<f64> {
    text.split(',')
        .map(|number| number.trim().parse().unwrap_or(f64::NAN))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_as_they_are_printed() {
        for word in ["off", "epoch", "25"] {
            assert_eq!(word.parse::<Every>().unwrap().to_string(), word);
        }
        for word in ["all", "3"] {
            assert_eq!(word.parse::<Keep>().unwrap().to_string(), word);
        }
        for word in ["off", "2.5"] {
            assert_eq!(word.parse::<NormLimit>().unwrap().to_string(), word);
        }
        for word in ["none", "features", "pool3"] {
            assert_eq!(word.parse::<Freeze>().unwrap().to_string(), word);
        }
        for word in ["constant", "cosine", "step=100,0.5"] {
            assert_eq!(schedule_word(parse_schedule(word).unwrap()), word);
        }
        assert_eq!("0.08, 1".parse::<Span>().unwrap().to_string(), "0.08,1");
        for word in ["off", "0.4,0.4,0.4,0.1"] {
            assert_eq!(word.parse::<Jitter>().unwrap().to_string(), word);
        }
    }

    #[test]
    fn other_words_are_refused() {
        assert!("0".parse::<Every>().is_err());
        assert!("0".parse::<Keep>().is_err());
        assert!("0".parse::<NormLimit>().is_err() && "nan".parse::<NormLimit>().is_err());
        for word in ["1,0.5", "0,1", "1", "a,b", "0.1,inf"] {
            assert!(word.parse::<Span>().is_err(), "{word}");
        }
        assert!(parse_shares("0.5,2").is_err() && parse_shares("0.5").is_err());
        for word in ["0.1,0.1,0.1,0.6", "0.1", "-1,0,0,0"] {
            assert!(word.parse::<Jitter>().is_err(), "{word}");
        }
        for word in ["step", "step=0,0.1", "step=10,2", "step=10,nan", "linear"] {
            assert!(parse_schedule(word).is_err(), "{word}");
        }
        assert!(parse_count("0").is_err() && parse_count("1.5").is_err());
        assert!(parse_count_or_none("-1").is_err());
        assert!(parse_share("1.1").is_err() && parse_share("nan").is_err());
    }

    #[test]
    fn every_counts_from_the_first_step() {
        assert!(Every::Steps(10).includes(20, false) && !Every::Steps(10).includes(21, true));
        assert!(Every::Epoch.includes(14, true) && !Every::Epoch.includes(10, false));
        assert!(!Every::Off.includes(10, true));
    }
}
