//! `vggscope inspect`, `export` and `view`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use glob::Pattern;

use super::error::{SettingsError, exclude};
use super::values::{read_from_text, within};

/// Settings of `vggscope inspect`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(
    after_help = "Exit code: 0 if all event files are whole, 1 if one is damaged or cut off, 2 if there is none."
)]
pub(crate) struct InspectSettings {
    /// Runs, log folders with runs, or event files; by any program
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Settings of `vggscope export`.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct ExportSettings {
    /// A run, a log folder with runs, or an event file; by any program
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// The tags to take, a glob pattern: maps/*, for example; may be repeated
    #[arg(long, value_name = "GLOB", default_value = "*")]
    pub(crate) tag: Vec<Pattern>,
    /// The steps to take: 120, first, last, 100..200, ..50, and lists of these
    #[arg(
        long,
        value_name = "STEPS",
        default_value = "..",
        value_delimiter = ','
    )]
    pub(crate) step: Vec<StepChoice>,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Format: png (pictures as they were logged, a file a step), apng or gif (all steps of a tag as an animation with the
    /// step in each frame; gif has 256 colors), csv (all scalars in one table, and the numbers of
    /// figures), npz (these as arrays) or svg (figures)
    #[arg(long = "as", value_name = "FORMAT", default_value = "png")]
    pub(crate) format: ExportFormat,
    /// Milliseconds that a frame of an animation stays; the last one stays 2 seconds
    #[arg(long, value_name = "MS", default_value = "500", value_parser = within(1_u16.., "milliseconds from 1 to 65535"))]
    pub(crate) delay: u16,
    /// Enlarge the pictures of animations so many times [default: to about 192 pixels]
    #[arg(long, value_name = "N", value_parser = within(1_u32..=64, "a whole number from 1 to 64"))]
    pub(crate) scale: Option<u32>,
    /// Draw figures (heat maps, evolution) again at this size, for png and svg [default: pictures as they were logged;
    /// for svg 700x420]
    #[arg(long, value_name = "WxH")]
    pub(crate) size: Option<FigureSize>,
    /// One animation of all tags next to each other
    #[arg(long)]
    pub(crate) together: bool,
}

/// What pictures and scalars become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Png,
    Apng,
    Gif,
    Csv,
    Npz,
    Svg,
}

/// The size of a figure. Units: pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FigureSize(pub(crate) [u32; 2]);

read_from_text!(FigureSize: "WIDTHxHEIGHT, such as 1400x840, each from 64 to 8192");

impl FigureSize {
    fn read(text: &str) -> Option<Self> {
        let pixels = |text: &str| within(64..=8192, "")(text.trim()).ok();
        let (width, height) = text.split_once('x')?;
        Some(Self([pixels(width)?, pixels(height)?]))
    }
}

impl ExportSettings {
    pub(crate) fn is_animation(&self) -> bool {
        matches!(self.format, ExportFormat::Apng | ExportFormat::Gif)
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let is_animation = self.is_animation();
        exclude(
            self.size.is_some() && !matches!(self.format, ExportFormat::Png | ExportFormat::Svg),
            "--size",
            "it is of figures: add --as svg, or leave --as out for png (--scale enlarges animations)",
        )?;
        let why = "it is of animations: add --as gif or --as apng";
        exclude(!is_animation && self.scale.is_some(), "--scale", why)?;
        exclude(!is_animation && self.together, "--together", why)
    }
}

/// Settings of `vggscope view`.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct ViewSettings {
    /// Runs, or log folders with runs
    #[arg(value_name = "RUN", default_value = "runs")]
    pub(crate) runs: Vec<PathBuf>,
    /// Print the command instead of running it
    #[arg(long)]
    pub(crate) print: bool,
    /// Flags for TensorBoard, as in -- --port 6007
    #[arg(last = true, value_name = "FLAG")]
    pub(crate) flags: Vec<String>,
}

/// Steps of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepChoice {
    First,
    Last,
    /// From the one to the other, both included.
    Range(i64, i64),
}

impl StepChoice {
    fn read(text: &str) -> Option<Self> {
        match text {
            "first" => return Some(Self::First),
            "last" => return Some(Self::Last),
            "" => return None,
            _ => {}
        }
        let end = |text: &str, open: i64| match text {
            "" => Some(open),
            number => number.parse().ok(),
        };
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let (from, to) = (end(from, i64::MIN)?, end(to, i64::MAX)?);
        (from <= to).then_some(Self::Range(from, to))
    }

    /// Whether it is one of the `steps` of a tag, which rise.
    pub(crate) fn takes(self, step: i64, steps: &[i64]) -> bool {
        match self {
            Self::First => steps.first() == Some(&step),
            Self::Last => steps.last() == Some(&step),
            Self::Range(from, to) => (from..=to).contains(&step),
        }
    }
}

read_from_text!(StepChoice: "a step, first, last, or a range such as 100..200 or ..50, or several with commas");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbers_ends_and_ranges() {
        let steps = [0, 5, 10, 15];
        let taken = |text: &str| -> Vec<i64> {
            let choices: Vec<StepChoice> =
                text.split(',').map(|one| one.parse().unwrap()).collect();
            let is_taken = |step: &i64| choices.iter().any(|one| one.takes(*step, &steps));
            steps.iter().copied().filter(is_taken).collect()
        };
        assert_eq!(taken(".."), steps);
        assert_eq!(taken("5"), [5]);
        assert_eq!(taken("first,last"), [0, 15]);
        assert_eq!(taken("5..10"), [5, 10]);
        assert_eq!(taken("..5,12.."), [0, 5, 15]);
        assert_eq!(taken("7"), [0_i64; 0]);
        assert_eq!(
            "-3..-1".parse::<StepChoice>().ok(),
            Some(StepChoice::Range(-3, -1))
        );
        for wrong in ["", "a", "5..1", "1.5", "1..b"] {
            assert!(wrong.parse::<StepChoice>().is_err(), "{wrong}");
        }
    }
}
