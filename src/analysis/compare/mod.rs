//! Runs compared with each other, from the Gram matrices that each left in its folder.

mod pair;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::grams::{GRAMS, GramsAbout, GramsError, GramsReader};

pub(crate) use pair::Pair;

#[derive(Debug, Error)]
pub(crate) enum CompareError {
    #[error("{0} has no {GRAMS}")]
    NoGrams(PathBuf),
    #[error("{0} is of an earlier vggscope, which kept the Gram matrices of all steps in one file")]
    OldGrams(PathBuf),
    #[error("{0}")]
    Grams(#[from] GramsError),
    #[error("{0} is named twice: a run is compared with other runs")]
    Twice(PathBuf),
    #[error(
        "{first} and {other} cannot be compared, since their {what} differ: {of_first} and {of_other}"
    )]
    Differ {
        first: PathBuf,
        other: PathBuf,
        what: &'static str,
        of_first: String,
        of_other: String,
    },
    #[error("{first} and {other} have no layer in common ({of_first}; {of_other})")]
    NoLayer {
        first: PathBuf,
        other: PathBuf,
        of_first: String,
        of_other: String,
    },
}

impl CompareError {
    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::Twice(_) | Self::Differ { .. } | Self::NoLayer { .. }
        )
    }
}

const MINIBATCHES: &str = "minibatches";

/// The file in which earlier versions kept all steps.
const OLD_GRAMS: &str = "grams.safetensors";

pub(crate) struct ComparedRun {
    /// What it is called: its folder's name, or its path where another has the same.
    pub(crate) name: String,
    folder: PathBuf,
    grams: GramsReader,
}

impl ComparedRun {
    /// Opens the runs in these folders, if all of them are of the same images, prepared and compared alike.
    pub(crate) fn open_all(folders: &[PathBuf]) -> Result<Vec<Self>, CompareError> {
        let mut seen = HashSet::new();
        for folder in folders {
            let place = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
            if !seen.insert(place) {
                return Err(CompareError::Twice(folder.clone()));
            }
        }
        let names: Vec<String> = folders.iter().map(|folder| last_part(folder)).collect();
        let is_unique = names.iter().collect::<HashSet<_>>().len() == names.len();
        let mut runs: Vec<Self> = Vec::new();
        for (folder, name) in folders.iter().zip(names) {
            let path = folder.display().to_string();
            let run = Self::open(folder, if is_unique { name } else { path })?;
            if let Some(first) = runs.first() {
                first.check_alike(&run)?;
            }
            runs.push(run);
        }
        Ok(runs)
    }

    fn open(folder: &Path, name: String) -> Result<Self, CompareError> {
        let old = folder.join(OLD_GRAMS);
        let Some(grams) = GramsReader::open(&folder.join(GRAMS))? else {
            return Err(if old.exists() {
                CompareError::OldGrams(old)
            } else {
                CompareError::NoGrams(folder.to_owned())
            });
        };
        Ok(Self {
            name,
            folder: folder.to_owned(),
            grams,
        })
    }

    pub(crate) fn about(&self) -> &GramsAbout {
        &self.grams.about
    }

    /// Refuses a run over other images, or the same in another form. One batch of all images can be cut into minibatches.
    fn check_alike(&self, other: &Self) -> Result<(), CompareError> {
        let [of_first, of_other] = [self, other].map(|run| facts(run.about()));
        let is_whole = |run: &Self| run.about().minibatches.len() == 1;
        let can_cut = is_whole(self) || is_whole(other);
        let mut facts = of_first.into_iter().zip(of_other);
        let mut facts = facts
            .by_ref()
            .filter(|(one, _)| !(can_cut && one.0 == MINIBATCHES));
        match facts.find(|(one, two)| one != two) {
            None => Ok(()),
            Some(((what, of_first), (_, of_other))) => Err(CompareError::Differ {
                first: self.folder.clone(),
                other: other.folder.clone(),
                what,
                of_first,
                of_other,
            }),
        }
    }
}

fn facts(about: &GramsAbout) -> [(&'static str, String); 4] {
    let hash: String = about.images.chars().take(12).collect();
    let images = format!("{} of SHA-256 {hash}…", about.count());
    [
        ("comparison images", images),
        ("preprocessing", about.preprocess.clone()),
        ("features", about.features.clone()),
        (MINIBATCHES, format!("{:?}", about.minibatches)),
    ]
}

fn last_part(folder: &Path) -> String {
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = path.file_name().unwrap_or(folder.as_os_str());
    name.to_string_lossy().into_owned()
}
