//! Writes the file, a checkpoint at a time.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::header::{Plan, check, compose};
use super::{GramsFileError, GramsLayout, GramsReader};
use crate::analysis::similarity::Gram;

/// Writes the file, a checkpoint at a time.
pub struct GramsWriter {
    file: File,
    path: PathBuf,
    layout: GramsLayout,
    plan: Plan,
}

impl GramsWriter {
    /// Creates a file without a checkpoint; one that was there is replaced. It has its whole length from here on,
    /// but takes up place on the disk only as checkpoints come.
    ///
    /// # Errors
    ///
    /// The file cannot be written, two tensors would have one name, or the steps do not rise.
    pub fn create(path: &Path, layout: GramsLayout) -> Result<Self, GramsFileError> {
        check(&layout).map_err(|why| no_place(path, why))?;
        let (header, plan, whole) = compose(&layout);
        let failed = |source| failed(path, source);
        let file = File::create(path).map_err(failed)?;
        file.set_len(whole).map_err(failed)?;
        let steps: Vec<u8> = layout.steps.iter().flat_map(|n| n.to_le_bytes()).collect();
        let mut writer = Self {
            file,
            path: path.to_owned(),
            layout,
            plan,
        };
        writer.write_at(0, &header)?;
        writer.write_at(writer.plan.steps, &steps)?;
        Ok(writer)
    }

    /// Creates a file that has the steps before `first` of the one that was there, and returns how many these are.
    /// None are taken over where the earlier file is of other layers, images or features, or cannot be read.
    ///
    /// # Errors
    ///
    /// As [`GramsWriter::create`]. The earlier file then stays.
    pub fn continue_at(
        path: &Path,
        layout: GramsLayout,
        first: i64,
    ) -> Result<(Self, usize), GramsFileError> {
        let Ok(earlier) = GramsReader::open(path) else {
            return Ok((Self::create(path, layout)?, 0));
        };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let mut writer = Self::create(&beside, layout)?;
        let taken = writer.take_over(&earlier, first)?;
        fs::rename(&beside, path).map_err(|source| failed(path, source))?;
        path.clone_into(&mut writer.path);
        Ok((writer, taken))
    }

    /// Takes the steps before `first` over from another file, as far as they have a place in this one, and returns
    /// how many these are: none from a file of other layers, images or features.
    ///
    /// # Errors
    ///
    /// The other file cannot be read, or this one not be written.
    pub fn take_over(
        &mut self,
        earlier: &GramsReader,
        first: i64,
    ) -> Result<usize, GramsFileError> {
        let (old, new) = (earlier.layout(), &self.layout);
        if (&old.layers, &old.sizes, &old.about) != (&new.layers, &new.sizes, &new.about) {
            return Ok(0);
        }
        let mut taken = 0;
        for (checkpoint, step) in earlier.checkpoints().filter(|(_, step)| *step < first) {
            let Ok(place) = self.layout.steps.binary_search(&step) else {
                continue;
            };
            let mut grams = Vec::new();
            for layer in &old.layers {
                let gram = earlier.gram(layer, checkpoint)?;
                grams.extend(gram.map(|gram| (layer, gram)));
            }
            self.write(place, grams.iter().map(|(layer, gram)| (layer, gram)))?;
            taken += 1;
        }
        Ok(taken)
    }

    /// Writes the Gram matrices of all layers at a checkpoint, which counts from 0.
    ///
    /// # Errors
    ///
    /// The file cannot be written; the checkpoint, a layer or its minibatches are not those of the layout.
    pub fn write<'a>(
        &mut self,
        checkpoint: usize,
        grams: impl IntoIterator<Item = (impl AsRef<str>, &'a Gram)>,
    ) -> Result<(), GramsFileError> {
        let refused = |path, why| Err(no_place(path, why));
        if checkpoint >= self.layout.steps.len() {
            let (expected, found) = (self.layout.steps.len(), checkpoint + 1);
            let why = format!("expected {expected} checkpoints, found number {found}");
            return refused(&self.path, why);
        }
        let mut count = 0;
        for (layer, gram) in grams {
            let layer = layer.as_ref();
            let Some(place) = self.plan.place(layer, checkpoint) else {
                return refused(&self.path, format!("layer {layer} is not in its layout"));
            };
            if !gram.sizes().eq(self.layout.sizes.iter().copied()) {
                let found: Vec<usize> = gram.sizes().collect();
                let expected = &self.layout.sizes;
                let why = format!("{layer}: expected minibatches of {expected:?}, found {found:?}");
                return refused(&self.path, why);
            }
            let bytes: Vec<u8> = gram.values().flat_map(f32::to_le_bytes).collect();
            self.write_at(place, &bytes)?;
            count += 1;
        }
        if count != self.layout.layers.len() {
            let expected = self.layout.layers.len();
            return refused(
                &self.path,
                format!("expected {expected} layers, found {count}"),
            );
        }
        // Last, so that whoever reads it finds the values there.
        self.write_at(self.plan.written + checkpoint as u64, &[1])
    }

    /// Says which step a checkpoint without one is; the steps still have to rise.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the step has no place there.
    pub fn set_step(&mut self, checkpoint: usize, step: i64) -> Result<(), GramsFileError> {
        let mut layout = self.layout.clone();
        if let Some(place) = layout.steps.get_mut(checkpoint) {
            *place = step;
        }
        check(&layout).map_err(|why| no_place(&self.path, why))?;
        self.layout = layout;
        self.write_at(self.plan.steps + 8 * checkpoint as u64, &step.to_le_bytes())
    }

    fn write_at(&mut self, place: u64, bytes: &[u8]) -> Result<(), GramsFileError> {
        let sought = self.file.seek(SeekFrom::Start(place));
        let written = sought.and_then(|_| self.file.write_all(bytes));
        written.map_err(|source| failed(&self.path, source))
    }
}

fn failed(path: &Path, source: std::io::Error) -> GramsFileError {
    let path = path.to_owned();
    GramsFileError::Write { path, source }
}

fn no_place(path: &Path, why: String) -> GramsFileError {
    let path = path.to_owned();
    GramsFileError::NoPlace { path, why }
}
