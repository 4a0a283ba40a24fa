//! `vggscope images`: one network over many images, a step an image.

use std::iter::Peekable;
use std::sync::Arc;

use super::calibration;
use super::context::{Context, RunContext, Steps, as_markdown, reserve, shown_part};
use super::devices::open_devices;
use super::error::RunError;
use super::parameters::OpenNetwork;
use super::report::Report;
use crate::analysis::probe::{BatchPictures, describe, log_kernels};
use crate::data::error::LoadError;
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::data::prepared::{PreparedImage, prepare_ahead};
use crate::logger::{FeatureLogger, Stage, StageTimings};
use crate::network::Network;
use crate::settings::ImagesSettings;
use crate::tags::Scalars;

pub(crate) fn run(settings: &mut ImagesSettings, context: &Context) -> Result<Report, RunError> {
    let notes = InputNotes::default();
    let files = list_images(&settings.images, &notes)?;
    let total = files.len();
    let devices = open_devices(&settings.run.compute, context)?;
    let folder = reserve(&mut settings.run.output, "images", context)?;
    let weights = settings.weights.as_deref();
    let start = OpenNetwork::of(weights, settings.seed, &settings.run, context)?;
    let architecture = Arc::new(start.variant.clone());
    let mut run = RunContext::new(&settings.run, folder, devices, architecture, notes, context)?;
    let config = settings.resolved(&run.pass)?;

    let most = settings.run.compute.batch();
    let mut images = (0..)
        .zip(prepare_ahead(files, run.preprocess, most))
        .peekable();
    let mut timings = StageTimings::default();
    let (extent, place) = shown_part(&run.pass, total);
    let network = timings.time(Stage::Load, || start.build(extent, place))?;
    let run_style = calibration::uncalibrated(&settings.run.pictures, &run.pass)?;
    let steps = Steps::all(total as u64, "images");
    let mut builder = run.logger(start.label, &steps);
    if settings.run.output.scalars == Scalars::Few {
        builder = builder.scalars(Scalars::One);
    }
    let mut log = ImageLog {
        copies: run.pass.copies(&network, "the network")?,
        network: &network,
        logger: run_style.apply(builder).create()?,
        timings,
        turn: 0,
    };
    run.folder.write_config(&config)?;
    run.folder.restore(&run_style.files()?)?;
    describe(&run.pass, &mut log.logger, "feature_maps");

    let mut config = Some(as_markdown(&config));
    let mut ended = Ok(());
    while ended.is_ok() && !context.interrupt.is_requested() {
        ended = match next_batch(&mut images, most, &mut run) {
            Ok(batch) if batch.is_empty() => break,
            Ok(batch) => log.add(&batch, config.take(), &run),
            Err(error) => Err(error),
        };
    }
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

/// What the steps are written with.
struct ImageLog<'a> {
    network: &'a dyn Network,
    /// On the other devices.
    copies: Vec<Box<dyn Network>>,
    logger: FeatureLogger,
    /// Of what came before the next batch.
    timings: StageTimings,
    /// Which device's turn it is.
    turn: usize,
}

impl ImageLog<'_> {
    fn add(
        &mut self,
        batch: &[Item],
        mut config: Option<String>,
        run: &RunContext<'_>,
    ) -> Result<(), RunError> {
        let what = batch.first().map(|first| first.image.title());
        let what = what.unwrap_or_default();
        let images: Vec<&PreparedImage> = batch.iter().map(|item| &item.image).collect();
        let (seen, span) = (run.pass).run(self.network, &self.copies, self.turn, &images, &what)?;
        self.turn += 1;
        let pictures = BatchPictures::of(&seen);
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
            if let Some(config) = config.take() {
                step.text("config", config);
            }
            step.text("image", format!("`{}`", image.path.display()));
            pictures.log(&mut step, at, "feature_maps")?;
            log_kernels(&run.pass, self.network, &mut step)?;
            step.image("input", &image.picture)?;
            step.finish();
        }
        Ok(())
    }
}
