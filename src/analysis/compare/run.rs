//! A run that is compared.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::CompareError;
use crate::analysis::similarity::Gram;
use crate::analysis::similarity::file::{GRAMS, GramsFileError, GramsLayout, GramsReader};

/// A run that is compared.
pub(crate) struct ComparedRun {
    /// What it is called: its folder's name, or its path where another has the same.
    pub(crate) name: String,
    pub(super) folder: PathBuf,
    reader: GramsReader,
    /// The checkpoints that have come, at least one: which one, counted from 0, and its step.
    pub(super) checkpoints: Vec<(usize, i64)>,
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
        let path = folder.join(GRAMS);
        if !path.exists() {
            return Err(CompareError::NoGrams(folder.to_owned()));
        }
        let reader = GramsReader::open(&path)?;
        let checkpoints: Vec<_> = reader.checkpoints().collect();
        if checkpoints.is_empty() {
            return Err(CompareError::NoCheckpoint(path));
        }
        Ok(Self {
            name,
            folder: folder.to_owned(),
            reader,
            checkpoints,
        })
    }

    /// What its Gram matrices are of.
    pub(crate) fn layout(&self) -> &GramsLayout {
        self.reader.layout()
    }

    /// How many images they are of.
    pub(crate) fn images(&self) -> usize {
        self.layout().sizes.iter().sum()
    }

    /// A layer at a checkpoint.
    pub(super) fn gram(
        &self,
        layer: &str,
        checkpoint: usize,
    ) -> Result<Option<Gram>, GramsFileError> {
        self.reader.gram(layer, checkpoint)
    }

    /// Refuses a run over other images, or the same in another form.
    fn check_alike(&self, other: &Self) -> Result<(), CompareError> {
        let facts = |run: &Self| {
            let GramsLayout { sizes, about, .. } = run.layout();
            let hash: String = about.images.chars().take(12).collect();
            [
                (
                    "comparison images",
                    about.images.clone(),
                    format!("{} of SHA-256 {hash}…", run.images()),
                ),
                (
                    "preprocessing",
                    about.preprocess.clone(),
                    about.preprocess.clone(),
                ),
                ("features", about.features.clone(), about.features.clone()),
                ("minibatches", format!("{sizes:?}"), format!("{sizes:?}")),
            ]
        };
        for ((what, one, of_first), (_, two, of_other)) in facts(self).into_iter().zip(facts(other))
        {
            if one != two {
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
