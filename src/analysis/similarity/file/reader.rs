//! Reads the file, a matrix at a time.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use safetensors::tensor::Metadata;

use super::header::{LENGTH_FIELD, Plan, VERSION, VERSION_KEY, checked_steps, parse};
use super::{GramsFileError, GramsLayout};
use crate::analysis::similarity::Gram;

/// The largest header that the format allows.
const MAX_HEADER: u64 = 100_000_000;

/// An open file; matrices are read when they are asked for.
#[derive(Debug)]
pub struct GramsReader {
    file: Mutex<File>,
    path: PathBuf,
    layout: GramsLayout,
    plan: Plan,
    /// Whether each checkpoint has come.
    written: Vec<bool>,
}

impl GramsReader {
    /// Opens a file and reads all but the matrices. Its run may still go on.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is truncated or damaged, or a later version wrote it.
    pub fn open(path: &Path) -> Result<Self, GramsFileError> {
        let failed = |source| failed(path, source);
        let damaged = |why| damaged(path, why);
        let mut file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        let enough = |expected: u64| {
            let path = path.to_owned();
            (found >= expected)
                .then_some(())
                .ok_or(GramsFileError::Truncated {
                    path,
                    expected,
                    found,
                })
        };
        enough(LENGTH_FIELD)?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(failed)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER {
            return Err(damaged("it is no safetensors file".to_owned()));
        }
        let data = LENGTH_FIELD + length;
        enough(data)?;
        let header = BufReader::new((&file).take(length));
        let metadata: Metadata = serde_json::from_reader(header)
            .map_err(|error| damaged(format!("safetensors header: {error}")))?;
        check_version(path, &metadata)?;
        let expected = data.saturating_add(metadata.data_len() as u64);
        enough(expected)?;
        if found > expected {
            return Err(damaged(format!("expected {expected} bytes, found {found}")));
        }

        let (layout, plan) = parse(&metadata, data).map_err(damaged)?;
        let mut reader = Self {
            file: Mutex::new(file),
            path: path.to_owned(),
            layout,
            plan,
            written: Vec::new(),
        };
        let checkpoints = reader.layout.steps.len();
        let steps = reader.read(reader.plan.steps, checkpoints * 8)?;
        let steps = steps.as_chunks().0.iter().copied().map(i64::from_le_bytes);
        reader.layout.steps = checked_steps(steps.collect()).map_err(damaged)?;
        let written = reader.read(reader.plan.written, checkpoints)?;
        reader.written = written.into_iter().map(|flag| flag == 1).collect();
        Ok(reader)
    }

    /// What the file has room for.
    #[must_use]
    pub fn layout(&self) -> &GramsLayout {
        &self.layout
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoints that have come: which one, counted from 0, and its step.
    pub fn checkpoints(&self) -> impl DoubleEndedIterator<Item = (usize, i64)> {
        let steps = self.layout.steps.iter().copied().enumerate();
        let come = steps.zip(&self.written).filter(|(_, written)| **written);
        come.map(|(checkpoint, _)| checkpoint)
    }

    /// A layer's Gram matrices at a checkpoint, which counts from 0; `None` where the layer is not in the file, or
    /// the checkpoint has not come.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn gram(&self, layer: &str, checkpoint: usize) -> Result<Option<Gram>, GramsFileError> {
        if self.written.get(checkpoint) != Some(&true) {
            return Ok(None);
        }
        let Some(place) = self.plan.place(layer, checkpoint) else {
            return Ok(None);
        };
        let bytes = self.read(place, usize::try_from(self.plan.row).unwrap_or(usize::MAX))?;
        let values = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
        let mut values = values.collect::<Vec<f32>>().into_iter();
        let sizes = self.layout.sizes.iter().copied();
        let blocks = sizes.map(|size| (size, values.by_ref().take(size * size).collect()));
        Ok(Some(Gram::new(blocks.collect())))
    }

    /// Bytes that the header promises, and so that are there unless the file became shorter.
    fn read(&self, place: u64, count: usize) -> Result<Vec<u8>, GramsFileError> {
        let mut bytes = vec![0; count];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let sought = file.seek(SeekFrom::Start(place));
        let read = sought.and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|source| failed(&self.path, source))?;
        Ok(bytes)
    }
}

fn check_version(path: &Path, metadata: &Metadata) -> Result<(), GramsFileError> {
    let texts = metadata.metadata().as_ref();
    match texts.and_then(|texts| texts.get(VERSION_KEY)) {
        Some(found) if found == VERSION => Ok(()),
        Some(found) => Err(GramsFileError::Version {
            path: path.to_owned(),
            expected: VERSION,
            found: found.clone(),
        }),
        None => Err(damaged(path, "it holds no Gram matrices".to_owned())),
    }
}

fn failed(path: &Path, source: io::Error) -> GramsFileError {
    let path = path.to_owned();
    GramsFileError::Read { path, source }
}

fn damaged(path: &Path, why: String) -> GramsFileError {
    let path = path.to_owned();
    GramsFileError::Damaged { path, why }
}
