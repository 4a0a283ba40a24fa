//! The Gram matrices of all steps, kept in a file from which runs are compared later.

use std::path::{Path, PathBuf};

use super::comparison_set::Grams;
use crate::analysis::similarity::file::{GramsFileError, GramsLayout, GramsWriter};

/// The fewest steps that the file gets room for when it is full.
const ROOM: usize = 16;

pub(super) struct KeptGrams {
    path: PathBuf,
    writer: GramsWriter,
    /// Its last steps may be places of steps that nobody knows yet.
    layout: GramsLayout,
    /// How many steps are known.
    known: usize,
}

impl KeptGrams {
    /// Creates the file with room for the steps of `layout`. A run that is resumed at the step `resumed` keeps those
    /// before it; returns whether that could be done.
    pub(super) fn create(
        path: &Path,
        layout: GramsLayout,
        resumed: Option<i64>,
    ) -> Result<(Self, bool), GramsFileError> {
        let (writer, is_whole) = match resumed {
            Some(first) => {
                let (writer, taken) = GramsWriter::continue_at(path, layout.clone(), first)?;
                (writer, taken > 0)
            }
            None => (GramsWriter::create(path, layout.clone())?, true),
        };
        let kept = Self {
            path: path.to_owned(),
            writer,
            known: layout.steps.len(),
            layout,
        };
        Ok((kept, is_whole))
    }

    /// Writes those of a step. One that was not known is behind all others.
    pub(super) fn write(&mut self, step: i64, grams: &Grams) -> Result<(), GramsFileError> {
        let known = self.layout.steps.get(..self.known).unwrap_or_default();
        let place = match known.binary_search(&step) {
            Ok(place) => place,
            Err(_) => self.place_for(step)?,
        };
        self.writer.write(place, grams)
    }

    fn place_for(&mut self, step: i64) -> Result<usize, GramsFileError> {
        let place = self.known;
        if place == self.layout.steps.len() {
            let room = place.max(ROOM);
            // They rise, as all steps do.
            let first = i64::try_from(room).map_or(0, |room| i64::MAX - room);
            self.layout.steps.extend((first..).take(room));
            let (writer, _) = GramsWriter::continue_at(&self.path, self.layout.clone(), i64::MAX)?;
            self.writer = writer;
        }
        self.writer.set_step(place, step)?;
        if let Some(known) = self.layout.steps.get_mut(place) {
            *known = step;
        }
        self.known += 1;
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::similarity::Gram;
    use crate::analysis::similarity::file::{GramsAbout, GramsReader};

    #[test]
    fn steps_that_nobody_knew_find_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grams.safetensors");
        let layout = GramsLayout {
            steps: vec![1, 3],
            layers: vec!["a".to_owned()],
            sizes: vec![2],
            about: GramsAbout {
                images: "i".to_owned(),
                preprocess: "p".to_owned(),
                features: "flattened".to_owned(),
                arch: "vgg16".to_owned(),
            },
        };
        let (mut kept, _) = KeptGrams::create(&path, layout, None).unwrap();
        let steps: Vec<i64> = (0..60).map(|n| 2 * n + 1).collect();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let gram = |step: i64| Gram::new(vec![(2, vec![step as f32; 4])]);
        for step in &steps {
            let grams = Grams::from([("a".to_owned(), gram(*step))]);
            kept.write(*step, &grams).unwrap();
        }
        let reader = GramsReader::open(&path).unwrap();
        let found: Vec<i64> = reader.checkpoints().map(|(_, step)| step).collect();
        assert_eq!(found, steps);
        for (place, step) in reader.checkpoints() {
            let read = reader.gram("a", place).unwrap().unwrap();
            assert_eq!(read, gram(step));
        }
    }
}
