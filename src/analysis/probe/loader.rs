//! Images that are read once and shown to every network.

use std::error::Error;

use crate::analysis::error::AnalysisError;
use crate::data::list::ImageFile;
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::prepared::{PreparedImage, prepare_ahead};
use crate::data::transform::Preprocess;
use crate::network::ForwardPass;

pub(crate) struct ImageLoader<'a> {
    pub(crate) preprocess: Preprocess,
    pub(crate) on_error: OnError,
    pub(crate) pass: &'a ForwardPass,
    pub(crate) notes: &'a InputNotes,
    pub(crate) skipped: &'a mut Vec<String>,
    pub(crate) explain: fn(&(dyn Error + 'static)) -> String,
}

impl ImageLoader<'_> {
    /// Reads images, so many ahead. One that cannot be read or is not taken ends the run or is skipped.
    pub(in crate::analysis) fn each(
        &mut self,
        files: Vec<ImageFile>,
        ahead: usize,
        mut take: impl FnMut(PreparedImage) -> Result<(), AnalysisError>,
    ) -> Result<(), AnalysisError> {
        for image in prepare_ahead(files, self.preprocess, ahead) {
            let taken = image.map_err(AnalysisError::from).and_then(|image| {
                self.pass.check_image(&image)?;
                let (path, oddities) = (image.path.clone(), image.oddities);
                take(image)?;
                self.notes.add(&path, oddities);
                Ok(())
            });
            match taken {
                Err(error) if self.on_error == OnError::Skip => {
                    self.skipped.push((self.explain)(&error));
                }
                taken => taken?,
            }
        }
        Ok(())
    }
}
