//! The probe images that every checkpoint, or every step of a training, is shown.

use std::error::Error;

use burn::tensor::Tensor;

use super::maps::{BatchPictures, describe, describe_pca, log_kernels};
use super::overview;
use crate::analysis::{AnalysisError, Bases};
use crate::data::list::ImageFile;
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::prepared::{PreparedImage, prepare_ahead};
use crate::data::transform::Preprocess;
use crate::device::Span;
use crate::logger::{FeatureLogger, Stage, Step};
use crate::network::{Activations, ForwardError, ForwardPass, Layer, Network};
use crate::weights::sha256;

#[derive(Default)]
pub(crate) struct ProbeActivations {
    batches: Vec<Activations>,
    spans: Vec<Span>,
}

pub(crate) struct ObservedNetwork<'a> {
    pub(crate) pass: &'a ForwardPass,
    pub(crate) network: &'a dyn Network,
    pub(crate) probes: ProbeActivations,
    /// Names it in errors.
    pub(crate) name: &'a str,
}

impl ProbeActivations {
    /// Every image's maps: its number, a layer, `[1, channels, height, width]`.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, &Layer, Tensor<4>)> {
        let batches = self.batches.iter();
        let images = batches.flat_map(|batch| (0..batch.images()).map(|at| batch.of_image(at)));
        let numbered = images.enumerate();
        numbered.flat_map(|(number, layers)| layers.map(move |(layer, maps)| (number, layer, maps)))
    }

    /// A layer's maps of the image with this number, `[1, channels, height, width]`.
    pub(crate) fn of_image(&self, mut number: usize, layer: &Layer) -> Option<Tensor<4>> {
        for batch in &self.batches {
            if number < batch.images() {
                let mut layers = batch.of_image(number);
                let found = layers.find(|(other, _)| *other == layer);
                return found.map(|(_, maps)| maps);
            }
            number -= batch.images();
        }
        None
    }
}

#[derive(Default)]
pub(crate) struct ProbeImages {
    batches: Vec<Vec<PreparedImage>>,
    shown: bool,
    bases: Option<Bases>,
}

impl ProbeImages {
    pub(crate) fn load(
        files: &[ImageFile],
        batch: usize,
        loader: &mut ImageLoader<'_>,
    ) -> Result<Self, AnalysisError> {
        let mut batches: Vec<Vec<PreparedImage>> = Vec::new();
        loader.each(files.to_vec(), batch, |image| {
            match batches.last_mut() {
                Some(last) if last.len() < batch && last[0].size() == image.size() => {
                    last.push(image);
                }
                _ => batches.push(vec![image]),
            }
            Ok(())
        })?;
        if batches.is_empty() {
            return Err(AnalysisError::AllSkipped {
                count: loader.skipped.len(),
                first: loader.skipped.first().cloned().unwrap_or_default(),
            });
        }
        Ok(Self {
            batches,
            shown: false,
            bases: None,
        })
    }

    pub(crate) fn show_pca(&mut self, bases: Option<Bases>) {
        self.bases = bases;
    }

    pub(crate) fn describe(&self, pass: &ForwardPass, logger: &mut FeatureLogger) {
        for image in self.images() {
            describe(pass, logger, &group(image));
            if let Some(bases) = &self.bases {
                describe_pca(pass, logger, &pca_group(image), bases);
            }
            let title = image.title();
            let heading = format!("**input**: {title} as the network saw it, not normalized");
            logger.describe(format!("input/{}", image.name), heading);
        }
    }

    pub(crate) fn run<'a>(
        &self,
        pass: &'a ForwardPass,
        network: &'a dyn Network,
        name: &'a str,
    ) -> Result<ObservedNetwork<'a>, ForwardError> {
        let copies = pass.copies(network, name)?;
        let mut probes = ProbeActivations::default();
        for (turn, batch) in self.batches.iter().enumerate() {
            let batch: Vec<&PreparedImage> = batch.iter().collect();
            let (activations, span) = pass.run(network, &copies, turn, &batch, name)?;
            probes.batches.push(activations);
            probes.spans.push(span);
        }
        Ok(ObservedNetwork {
            pass,
            network,
            probes,
            name,
        })
    }

    pub(crate) fn log(
        &mut self,
        observed: ObservedNetwork<'_>,
        step: &mut Step<'_>,
    ) -> Result<(), AnalysisError> {
        let ProbeActivations { batches, spans } = observed.probes;
        for span in spans {
            step.record_span(Stage::Forward, span);
        }
        for (batch, activations) in self.batches.iter().zip(&batches) {
            let mut pictures = BatchPictures::of(activations, self.bases.as_ref())?;
            for (at, image) in batch.iter().enumerate() {
                step.set_png_folder(format!("{:06}/{}", step.number(), image.name));
                pictures.log(step, at, &group(image))?;
                overview::log(step, image, pictures.pca(at));
                pictures.log_pca(step, at, &pca_group(image));
                if !self.shown {
                    step.record(Stage::Decode, image.took);
                    step.image(format!("input/{}", image.name), image.picture.clone());
                }
            }
        }
        self.shown = true;
        step.set_png_folder(format!("{:06}", step.number()));
        Ok(log_kernels(observed.pass, observed.network, step)?)
    }

    /// An earlier process has logged the inputs.
    pub(crate) fn already_shown(&mut self) {
        self.shown = true;
    }

    /// SHA-256 over the SHA-256 of all images as the network gets them, before normalization, and their names.
    pub(crate) fn hash(&self) -> String {
        let of_image = |image: &PreparedImage| {
            let pixels = sha256(&mut &image.picture.pixels[..]).unwrap_or_default();
            format!("{} {pixels}\n", image.name)
        };
        let hashes: String = self.images().map(of_image).collect();
        sha256(&mut hashes.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn tag(&self, number: usize, layer: &Layer) -> String {
        let image = self.images().nth(number);
        let group = image.map(group).unwrap_or_default();
        format!("{group}/{}", layer.tag())
    }

    pub(crate) fn position(&self, image: &PreparedImage) -> Option<usize> {
        let is_same =
            |other: &PreparedImage| other.size() == image.size() && other.pixels == image.pixels;
        self.images().position(is_same)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.images().map(|image| image.name.as_str())
    }

    fn images(&self) -> impl Iterator<Item = &PreparedImage> {
        self.batches.iter().flatten()
    }
}

/// What stands before the layer in tags.
fn group(image: &PreparedImage) -> String {
    format!("feature_maps/{}", image.name)
}

fn pca_group(image: &PreparedImage) -> String {
    format!("pca/{}", image.name)
}

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
