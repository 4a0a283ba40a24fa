//! From values to colors, and the numbers beside them.

use serde::{Deserialize, Serialize};

/// The values of the first and the last color; those beyond have the colors of the ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scale {
    Linear { low: f32, high: f32 },
    Log { low: f32, high: f32 },
}

impl Default for Scale {
    fn default() -> Self {
        Self::Linear {
            low: 0.0,
            high: 1.0,
        }
    }
}

impl Scale {
    /// Where between the ends a value is, from 0 to 1.
    pub(super) fn part(self, value: f32) -> f32 {
        let part = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value / low).ln() / (high / low).ln(),
        };
        part.clamp(0.0, 1.0)
    }

    /// Values worth naming: few round ones.
    pub(super) fn ticks(self) -> Vec<f32> {
        let (low, high) = match self {
            Self::Linear { low, high } => {
                let rough = f64::from(high - low) / 5.0;
                let power = 10_f64.powf(rough.log10().floor());
                let rounds = [1.0, 2.0, 5.0, 10.0].map(|round| round * power);
                let step = rounds.into_iter().find(|step| *step >= rough * 0.999);
                let step = step.unwrap_or(rough);
                let (first, last) = (f64::from(low) / step, f64::from(high) / step);
                return numbers(first, last).map(|n| (n * step) as f32).collect();
            }
            Self::Log { low, high } => (low, high),
        };
        let [first, last] = [low, high].map(|end| f64::from(end).log10());
        let powers = numbers(first, last).map(|n| 10_f64.powf(n) as f32);
        powers.collect()
    }

    /// A value with as many digits as can be told apart on the scale.
    pub(super) fn number(self, value: f32) -> String {
        let finest = match self {
            Self::Linear { low, high } => (high - low) / 200.0,
            Self::Log { .. } => value.abs() / 30.0,
        };
        let digits = -finest.log10().floor();
        let digits = if digits > 0.0 && digits < 9.0 {
            digits as usize
        } else {
            0
        };
        let text = format!("{value:.digits$}");
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        match text {
            "-0" | "" => "0".to_owned(),
            _ => text.to_owned(),
        }
    }
}

/// The whole numbers between two, at most a hundred.
fn numbers(first: f64, last: f64) -> impl Iterator<Item = f64> {
    let (first, last) = ((first - 1e-4).ceil(), (last + 1e-4).floor());
    let all = (0..100).map(move |n| first + f64::from(n));
    all.take_while(move |n| *n <= last)
}
