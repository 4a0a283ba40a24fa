//! A run that is compared.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::CompareError;
use crate::analysis::grams::{GRAMS, GramsAbout, GramsReader};

/// The file in which earlier versions kept all steps.
const OLD_GRAMS: &str = "grams.safetensors";

/// A run that is compared.
pub(crate) struct ComparedRun {
    /// What it is called: its folder's name, or its path where another has the same.
    pub(crate) name: String,
    pub(super) folder: PathBuf,
    pub(super) grams: GramsReader,
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

    /// What its Gram matrices are of.
    pub(crate) fn about(&self) -> &GramsAbout {
        &self.grams.about
    }

    /// Refuses a run over other images, or the same in another form.
    fn check_alike(&self, other: &Self) -> Result<(), CompareError> {
        let (one, two) = (self.about(), other.about());
        let images = |about: &GramsAbout| {
            let hash: String = about.images.chars().take(12).collect();
            format!("{} of SHA-256 {hash}…", about.count())
        };
        let sizes = |about: &GramsAbout| format!("{:?}", about.minibatches);
        let both = |text: fn(&GramsAbout) -> &String| [one, two].map(|about| text(about).clone());
        for (what, is_same, [of_first, of_other]) in [
            (
                "comparison images",
                one.images == two.images,
                [one, two].map(images),
            ),
            (
                "preprocessing",
                one.preprocess == two.preprocess,
                both(|about| &about.preprocess),
            ),
            (
                "features",
                one.features == two.features,
                both(|about| &about.features),
            ),
            (
                "minibatches",
                one.minibatches == two.minibatches,
                [one, two].map(sizes),
            ),
        ] {
            if !is_same {
                return Err(CompareError::Differ {
                    first: self.folder.clone(),
                    other: other.folder.clone(),
                    what,
                    of_first,
                    of_other,
                });
            }
        }
        Ok(())
    }
}

fn last_part(folder: &Path) -> String {
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = path.file_name().unwrap_or(folder.as_os_str());
    name.to_string_lossy().into_owned()
}
