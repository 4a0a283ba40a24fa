//! `vggscope images`: one network over many images, a step an image.

use std::iter::Peekable;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::calibration;
use super::context::{Context, RunContext, Steps, as_markdown, placement, reserve};
use super::devices::open_devices;
use super::error::RunError;
use super::parameters::{ShownNetwork, open_model};
use super::report::Report;
use super::run_style::RunStyle;
use crate::analysis::probe::{BatchPictures, describe, describe_pca, log_kernels};
use crate::analysis::{Bases, Calibration};
use crate::data::error::LoadError;
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::data::prepared::{PreparedImage, prepare_ahead};
use crate::device::Span;
use crate::logger::{FeatureLogger, Stage, StageTimings};
use crate::network::{Activations, Network};
use crate::settings::ImagesSettings;
use crate::tags::Scalars;

/// The bases of the PCA pictures are those of so many images, or of as many whose maps take so many bytes: they wait
/// for them.
const BASIS_IMAGES: usize = 16;
const BASIS_BYTES: usize = 512 << 20;

pub(crate) fn run(settings: &mut ImagesSettings, context: &Context) -> Result<Report, RunError> {
    let model = open_model(&settings.run.network)?;
    settings.run.fit(model.input_size());
    let notes = InputNotes::default();
    let files = list_images(&settings.images, &notes)?;
    let total = files.len();
    let devices = open_devices(&settings.run.compute, context)?;
    let folder = reserve(&mut settings.run.output.folder, "images", context)?;
    let weights = settings.weights.as_deref();
    let start = ShownNetwork::open(&model, weights, settings.seed, &settings.run, context)?;
    let architecture = Arc::clone(&start.architecture);
    let mut run = RunContext::new(&settings.run, folder, devices, architecture, notes, context)?;
    let config = settings.resolved(&run.pass)?;

    let most = run.pass.batch;
    let mut images = (0..)
        .zip(prepare_ahead(files, run.preprocess, most))
        .peekable();
    let mut timings = StageTimings::default();
    let place = placement(&run.pass, total);
    let network = timings.time(Stage::Load, || (start.build)(&run.pass.wanted, place))?;
    let pictures = &settings.run.pictures;
    let bases = calibration::known_bases(&run, pictures, false)?;
    let is_waiting = bases.is_none() && !pictures.no_pca;
    let nothing = Calibration::default();
    let mut run_style = calibration::run_style(&nothing, pictures, None, &run.pass)?;
    run_style.bases = bases;
    let steps = Steps::all(total as u64, "images");
    let mut builder = run.logger(start.label, &steps);
    if settings.run.output.scalars == Scalars::Few {
        builder = builder.scalars(Scalars::One);
    }
    let mut log = ImageLog {
        copies: run.pass.copies(&*network, "the network")?,
        network: &*network,
        logger: run_style.apply(builder).create()?,
        timings,
        turn: 0,
        config: Some(as_markdown(&config)),
        waiting: is_waiting.then(Vec::new),
        run_style,
    };
    run.folder.write_config(&config)?;
    describe(&run.pass, &mut log.logger, "feature_maps");
    if !is_waiting {
        log.begin(&run)?;
    }

    let mut ended = Ok(());
    while ended.is_ok() && !context.interrupt.is_requested() {
        ended = match next_batch(&mut images, most, &mut run) {
            Ok(batch) if batch.is_empty() => break,
            Ok(batch) => log.add(batch, &run),
            Err(error) => Err(error),
        };
    }
    // What came before an error is shown.
    let ended = log.end_wait(&run).and(ended);
    drop(images);
    let steps = Steps::all((total - run.skipped.len()) as u64, "images");
    run.conclude(log.logger, ended, &steps)
}

struct Item {
    step: i64,
    image: PreparedImage,
}

/// The next images of one size, at most `most`; none at the end. One that cannot be read ends the run or is left
/// out; it ends the batch before it, so that what was read first is shown.
fn next_batch(
    images: &mut Peekable<impl Iterator<Item = (i64, Result<PreparedImage, LoadError>)>>,
    most: usize,
    run: &mut RunContext<'_>,
) -> Result<Vec<Item>, RunError> {
    let mut batch: Vec<Item> = Vec::new();
    while batch.len() < most {
        let size = batch.first().map(|first| first.image.size());
        let fits = |image: &PreparedImage| size.is_none_or(|size| image.size() == size);
        let next = images.next_if(|(_, next)| match next {
            Ok(image) => fits(image),
            Err(_) => size.is_none(),
        });
        let Some((step, image)) = next else {
            break;
        };
        let checked = image.map_err(RunError::from).and_then(|image| {
            run.pass.check_image(&image)?;
            Ok(image)
        });
        match checked {
            Ok(image) => {
                run.notes.add(&image.path, image.oddities);
                batch.push(Item { step, image });
            }
            Err(error) => run.skip(error)?,
        }
    }
    Ok(batch)
}

struct Forwarded {
    batch: Vec<Item>,
    seen: Activations,
    span: Span,
}

/// Of how many images the bases are, whatever a batch is: the first one says what an image takes.
fn basis_images(first: &Activations) -> usize {
    let of_image = |maps: &Tensor<4>| maps.shape().num_elements() / maps.dims()[0].max(1);
    let values: usize = first.layers.iter().map(|(_, maps)| of_image(maps)).sum();
    BASIS_IMAGES.min(BASIS_BYTES.div_ceil((values * size_of::<f32>()).max(1)))
}

/// What the steps are written with.
struct ImageLog<'a> {
    network: &'a dyn Network,
    /// On the other devices.
    copies: Vec<Box<dyn Network>>,
    logger: FeatureLogger,
    /// Of what came before the next batch.
    timings: StageTimings,
    turn: usize,
    /// Written with the first step.
    config: Option<String>,
    /// The first images, until the bases of the PCA pictures are known.
    waiting: Option<Vec<Forwarded>>,
    run_style: RunStyle,
}

impl ImageLog<'_> {
    fn add(&mut self, batch: Vec<Item>, run: &RunContext<'_>) -> Result<(), RunError> {
        let what = batch.first().map(|first| first.image.title());
        let what = what.unwrap_or_default();
        let images: Vec<&PreparedImage> = batch.iter().map(|item| &item.image).collect();
        let (seen, span) = (run.pass).run(self.network, &self.copies, self.turn, &images, &what)?;
        self.turn += 1;
        let forwarded = Forwarded { batch, seen, span };
        let Some(waiting) = &mut self.waiting else {
            return self.log(forwarded, run);
        };
        waiting.push(forwarded);
        let images: usize = waiting.iter().map(|of| of.batch.len()).sum();
        if images >= basis_images(&waiting[0].seen) {
            return self.end_wait(run);
        }
        Ok(())
    }

    /// Makes the bases of the images that wait for them, and logs these.
    fn end_wait(&mut self, run: &RunContext<'_>) -> Result<(), RunError> {
        let waiting = self.waiting.take().unwrap_or_default();
        if waiting.is_empty() {
            return Ok(());
        }
        let images = waiting
            .iter()
            .flat_map(|Forwarded { seen, .. }| (0..seen.images()).map(move |at| seen.of_image(at)));
        let most = basis_images(&waiting[0].seen);
        let images: Vec<_> = images.take(most).collect();
        let from = format!("the first {} images", images.len());
        let bases = Bases::of(images.into_iter().flatten(), from)?;
        self.run_style.bases = Some(bases);
        self.begin(run)?;
        let mut waiting = waiting.into_iter();
        waiting.try_for_each(|forwarded| self.log(forwarded, run))
    }

    fn begin(&self, run: &RunContext<'_>) -> Result<(), RunError> {
        run.folder.restore(&self.run_style.files()?)?;
        if let Some(bases) = &self.run_style.bases {
            describe_pca(&run.pass, &self.logger, "pca", bases);
        }
        Ok(())
    }

    fn log(&mut self, forwarded: Forwarded, run: &RunContext<'_>) -> Result<(), RunError> {
        let Forwarded { batch, seen, span } = forwarded;
        let mut pictures = BatchPictures::of(&seen, self.run_style.bases.as_ref())?;
        drop(seen);
        let mut span = Some(span);
        for (at, item) in batch.iter().enumerate() {
            let (number, image) = (item.step, &item.image);
            let mut step = self.logger.step(number)?;
            step.set_title(image.title());
            step.set_png_folder(format!("{number:06}_{}", image.name));
            // The whole batch's time counts for its first step.
            step.record_all(&std::mem::take(&mut self.timings));
            if let Some(span) = span.take() {
                step.record_span(Stage::Forward, span);
            }
            step.record(Stage::Decode, image.took);
            if let Some(config) = self.config.take() {
                step.text("config", config);
            }
            step.text("image", format!("`{}`", image.path.display()));
            pictures.log(&mut step, at, "feature_maps")?;
            pictures.log_pca(&mut step, at, "pca");
            log_kernels(&run.pass, self.network, &mut step)?;
            step.image("input", image.picture.clone());
            step.finish();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::vgg::Arch;

    #[test]
    fn the_basis_is_of_the_same_images_whatever_the_batch_is() {
        let device = burn::tensor::Device::flex();
        let of = |batch: usize, count: usize| {
            // 4 MB an image and layer.
            let maps = Tensor::<4>::zeros([batch, 16, 256, 256], &device);
            let layers = Arch::VGG16.layers().into_iter().take(count);
            let layers = layers.map(|layer| (layer, maps.clone())).collect();
            basis_images(&Activations { layers })
        };
        assert_eq!([of(1, 1), of(3, 1)], [16, 16]);
        assert_eq!([of(1, 31), of(3, 31)], [5, 5]);
    }
}
