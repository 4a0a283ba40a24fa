//! `vggscope images`: one network over many images, a step an image.

use std::iter::Peekable;

use super::calibration;
use super::context::Context;
use super::error::RunError;
use super::parameters::{self, Parameters};
use super::report::Report;
use super::run::{self, Steps};
use super::run_folder::RunFolder;
use crate::analysis::probe::{BatchPictures, describe, log_kernels};
use crate::data::list::list_images;
use crate::data::load::LoadError;
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::prepared::{PreparedImage, file_name, prepare_ahead};
use crate::logger::{FeatureLogger, Stage, StageTimings};
use crate::network::vgg::{Arch, Extent, Placement, Sizes, Variant};
use crate::network::{ForwardPass, Network};
use crate::one_line::one_line;
use crate::settings::ImagesSettings;
use std::sync::Arc;

type Label = Box<dyn FnOnce() -> String + Send>;

/// Runs the command.
pub(crate) fn run(settings: &mut ImagesSettings, context: &Context) -> Result<Report, RunError> {
    let input = InputNotes::default();
    let files = list_images(&settings.images, &input)?;
    let total = files.len();
    let devices = run::open_devices(&settings.run.compute, context)?;
    let folder = RunFolder::reserve(
        &mut settings.run.output,
        "images",
        "or delete the folder",
        &context.interrupt,
    )?;
    let (held, parameters, label) = open_network(settings, context)?;
    let pass = run::open_pass(&settings.run, Arc::new(held.clone()), devices)?;
    if settings.run.output.verbose {
        parameters::list_unused(&parameters, pass.deepest(), &context.terminal);
    }
    let config = settings.resolved(&pass)?;

    let most = settings.run.compute.batch();
    let preprocess = settings.run.input.preprocess().for_network(held.is_gray());
    let prepared = prepare_ahead(files, preprocess, most);
    let mut timings = StageTimings::default();
    let extent = Extent::Features {
        deepest: pass.deepest(),
    };
    let place = Placement {
        device: &pass.device().device,
        kernels: run::kernel_layout(pass.device(), total),
    };
    let network = timings.time(Stage::Load, || parameters.build(&held, extent, place))?;
    let copies = pass.copies(&network, "the network")?;
    let steps = (0, total as u64);
    let settled = calibration::settle_without(&settings.run.pictures, &pass)?;
    let builder = run::logger(&settings.run, &pass, &folder, label, steps, context, |_| {});
    let mut logger = settled.apply(builder).create()?;
    folder.write_config(&config)?;
    settled.keep(&folder)?;
    describe(&pass, &mut logger, "feature_maps");

    let mut skipped = Vec::new();
    let on_error = settings.run.output.on_error;
    let mut images = readable(prepared, &pass, &input, on_error, &mut skipped).peekable();
    let mut config = Some(config);
    let mut batches = 0..;
    let ended = loop {
        match next_batch(&mut images, most) {
            Ok(Some(batch)) if !context.interrupt.is_requested() => {
                let config = config.take();
                let number = batches.next().unwrap_or_default();
                let result = log_batch(
                    (number, &batch),
                    &network,
                    &copies,
                    &pass,
                    &mut logger,
                    &mut timings,
                    config,
                );
                if result.is_err() {
                    break result;
                }
            }
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(images);
    let steps = Steps {
        earlier: 0,
        due: (total - skipped.len()) as u64,
        of: "images",
    };
    let output = &settings.run.output;
    let report = run::conclude(logger, ended, output, &steps, skipped, context)?;
    Ok(report.with(input.lines()))
}

/// The network, its parameters, and what they are called in descriptions.
fn open_network(
    settings: &ImagesSettings,
    context: &Context,
) -> Result<(Variant, Parameters, Label), RunError> {
    let asked = settings.run.network.arch;
    let seed = settings.run.compute.seed;
    let path = parameters::weights_file(&settings.weights(), asked, context)?;
    let Some(path) = path else {
        let arch = asked.unwrap_or(Arch::VGG16);
        let parameters = parameters::random(arch, Sizes::PUBLISHED, seed, &context.terminal);
        return Ok((
            Variant::published(arch),
            parameters,
            Box::new(move || format!("random, seed {seed}")),
        ));
    };
    let (held, file) =
        parameters::open_with_notes(&path, &settings.run.network, &context.terminal)?;
    let label = parameters::hashed_label(file_name(&path), path, &settings.run.network);
    Ok((held, Parameters::File(file), Box::new(label)))
}

/// The images that can be shown, with their steps; one that cannot ends the run or goes to `skipped`.
fn readable(
    prepared: impl IntoIterator<Item = Result<PreparedImage, LoadError>>,
    pass: &ForwardPass,
    notes: &InputNotes,
    on_error: OnError,
    skipped: &mut Vec<String>,
) -> impl Iterator<Item = Result<(i64, PreparedImage), RunError>> {
    (0..).zip(prepared).filter_map(move |(step, image)| {
        let checked = image.map_err(RunError::from).and_then(|image| {
            pass.check_image(&image)?;
            notes.add(&image.path, image.oddities);
            Ok((step, image))
        });
        match checked {
            Err(error) if on_error == OnError::Skip => {
                skipped.push(one_line(&error));
                None
            }
            checked => Some(checked),
        }
    })
}

/// Images of one size, and their steps.
type Batch = (Vec<i64>, Vec<PreparedImage>);

/// The next images of one size, at most `most`, with their steps; `None` at the end.
///
/// An image that cannot be read ends the batch before it, so that what was read first is shown.
fn next_batch(
    images: &mut Peekable<impl Iterator<Item = Result<(i64, PreparedImage), RunError>>>,
    most: usize,
) -> Result<Option<Batch>, RunError> {
    let Some(first) = images.next() else {
        return Ok(None);
    };
    let (number, first) = first?;
    let size = first.size();
    let (mut numbers, mut batch) = (vec![number], vec![first]);
    while batch.len() < most {
        let same_size = |next: &Result<(_, PreparedImage), _>| matches!(next, Ok((_, next)) if next.size() == size);
        let Some(Ok((number, image))) = images.next_if(same_size) else {
            break;
        };
        numbers.push(number);
        batch.push(image);
    }
    Ok(Some((numbers, batch)))
}

/// One forward pass and its steps.
fn log_batch(
    (number, (steps, batch)): (usize, &Batch),
    network: &dyn Network,
    copies: &[Box<dyn Network>],
    pass: &ForwardPass,
    logger: &mut FeatureLogger,
    timings: &mut StageTimings,
    mut config: Option<String>,
) -> Result<(), RunError> {
    let what = batch.first().map_or_else(String::new, PreparedImage::title);
    let (seen, span) = pass.run(network, copies, number, batch, &what)?;
    let pictures = BatchPictures::of(&seen);
    drop(seen);
    let mut span = Some(span);
    for (at, (number, image)) in steps.iter().zip(batch).enumerate() {
        let mut step = logger.step(*number)?;
        step.set_title(image.title());
        step.set_png_folder(format!("{number:06}_{}", image.name));
        // The whole batch's time counts for its first step.
        step.record_all(&std::mem::take(timings));
        if let Some(span) = span.take() {
            step.record_span(Stage::Forward, span);
        }
        step.record(Stage::Decode, image.took);
        if let Some(config) = config.take() {
            step.text("config", run::as_markdown(&config));
        }
        step.text("image", format!("`{}`", image.path.display()));
        pictures.log(&mut step, at, "feature_maps")?;
        log_kernels(pass, network, &mut step)?;
        step.image("input", &image.picture)?;
        step.finish();
    }
    Ok(())
}
