//! Where a run's summary goes, and what of it is a failure.

use std::fmt::{self, Display};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::SettingsError;
use super::values::read_from_text;
use crate::analysis::NUMBERS;
use crate::durable;

/// Where the summary goes, and what of it makes a command fail.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct SummarySettings {
    /// Also write the summary as JSON into this file
    #[arg(long = "json", value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Exit with 1 where this holds for a number that the summary has of a layer: NAME OP NUMBER, such as 'dead>0.1' or
    /// 'cka<0.9'; may be repeated
    #[arg(long, value_name = "CONDITION")]
    pub(crate) fail_if: Vec<Condition>,
}

impl SummarySettings {
    pub(crate) fn is_needed(&self) -> bool {
        self.json.is_some() || !self.fail_if.is_empty()
    }

    /// Refuses a condition on what the command does not measure, and a file that cannot be written, before hours of work
    /// for it. `lacks` says how a number would be had.
    pub(super) fn check(
        &self,
        lacks: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<(), SettingsError> {
        let mut conditions = self.fail_if.iter();
        if let Some((one, how)) = conditions.find_map(|one| Some((one, lacks(&one.name)?))) {
            let text = format!("--fail-if {one}: {} is not measured here: {how}", one.name);
            return Err(SettingsError::new(text));
        }
        let Some(path) = &self.json else {
            return Ok(());
        };
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let (file, folder) = (path.display(), folder.unwrap_or(Path::new(".")).display());
        let text = format!("--json {file}: cannot write this file in {folder}");
        try_to_write(path).map_err(|source| SettingsError::new(text).because(source))
    }
}

/// Writes a summary; what stands for a device or a pipe is not replaced by a file.
pub(crate) fn write_json(path: &Path, text: &str) -> io::Result<()> {
    if is_special(path) {
        return fs::write(path, text);
    }
    durable::write(path, |part| fs::write(part, text))
}

fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_file())
}

/// Makes a file where it is going to be written, and removes it.
fn try_to_write(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if is_special(path) {
        return Ok(());
    }
    let part = durable::unfinished(path);
    File::create_new(&part)?;
    fs::remove_file(part)
}

/// A condition on the numbers of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// A key of the summary's layers.
    pub(crate) name: String,
    sign: &'static str,
    limit: f64,
}

/// All comparisons, those first that others begin with.
const SIGNS: [&str; 4] = [">=", "<=", ">", "<"];

impl Condition {
    fn read(text: &str) -> Option<Self> {
        let sign = SIGNS.into_iter().find(|sign| text.contains(sign))?;
        let (name, limit) = text.split_once(sign)?;
        let (name, limit) = (name.trim().to_owned(), limit.trim().parse().ok()?);
        let is_known = NUMBERS.contains(&&*name) && f64::is_finite(limit);
        is_known.then_some(Self { name, sign, limit })
    }

    pub(crate) fn holds(&self, value: f64) -> bool {
        match self.sign {
            ">=" => value >= self.limit,
            "<=" => value <= self.limit,
            ">" => value > self.limit,
            _ => value < self.limit,
        }
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.sign, self.limit)
    }
}

read_from_text!(Condition: &format!("NAME OP NUMBER with >, >=, < or <=, such as dead>0.1; names: {}", NUMBERS.join(", ")));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_name_a_sign_and_a_number() {
        for (text, below, above) in [
            ("dead>0.1", 0.1, 0.2),
            ("dead >= 0.1", 0.09, 0.1),
            ("cka<0.9", 0.9, 0.8),
            ("cka <=0.9", 0.91, 0.9),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert!(!condition.holds(below) && condition.holds(above), "{text}");
            assert!(!condition.holds(f64::NAN));
            assert_eq!(condition.to_string(), text.replace(' ', ""));
        }
        for text in [
            "dead", "dead=1", "dead>", "dead>x", "dead>nan", ">1", "ded>0.1", "",
        ] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(
                error.contains("dead") || error.contains("no number"),
                "{text}: {error}"
            );
        }
    }
}
