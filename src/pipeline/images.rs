//! One network over many images: a step an image.

use std::iter::Peekable;
use std::sync::Arc;

use super::lane::Lane;
use super::load::{Prepared, ahead};
use super::open::Parameters;
use super::timings::{Laps, Stage};
use super::{RunError, require_size};
use crate::config::{Config, OnError};
use crate::events::Summary;
use crate::input::list::ImageFile;
use crate::input::load::LoadError;
use crate::vgg::{Extent, Kernels, Placement, Vgg, build};

/// An image and its step.
struct Numbered {
    step: i64,
    image: Arc<Prepared>,
}

/// Runs over all images; gives what was skipped.
pub(super) fn run(
    lane: &Lane,
    parameters: &Parameters,
    images: Vec<ImageFile>,
    config: &Config,
    config_text: &str,
) -> Result<Vec<String>, RunError> {
    let mut laps = Laps::default();
    let kernels = lane.kernels_for(config, images.len());
    let prepared = ahead(images, config.preprocess, config.batch);
    let vgg = laps.time(Stage::Load, || load_network(lane, parameters, kernels))?;
    let mut skipped = Vec::new();
    let mut images = readable(prepared.into_iter(), lane.on_error, &mut skipped).peekable();
    let mut first = true;
    while let Some(batch) = next_batch(&mut images, config.batch)? {
        if lane.interrupt.is_asked() {
            break;
        }
        let shown = show(
            lane,
            &vgg,
            &batch,
            std::mem::take(&mut laps),
            first.then_some(config_text),
        )?;
        if shown.is_none() {
            break;
        }
        first = false;
    }
    drop(images);
    Ok(skipped)
}

fn load_network(lane: &Lane, parameters: &Parameters, kernels: Kernels) -> Result<Vgg, RunError> {
    let extent = Extent::Features {
        deepest: lane.deepest(),
    };
    let place = Placement {
        device: &lane.device.device,
        kernels,
    };
    match parameters {
        Parameters::Random(source) => Ok(build(source, lane.arch, extent, place)?),
        Parameters::File(file) => build(file, lane.arch, extent, place)
            .map_err(|error| RunError::build(file.path(), error)),
    }
}

/// The images that can be read; one that cannot ends the run or goes to `skipped`.
fn readable(
    prepared: impl Iterator<Item = (usize, Result<Prepared, LoadError>)>,
    on_error: OnError,
    skipped: &mut Vec<String>,
) -> impl Iterator<Item = Result<Numbered, RunError>> {
    (0..)
        .zip(prepared)
        .filter_map(move |(step, (_, loaded))| match loaded {
            Ok(image) => Some(Ok(Numbered {
                step,
                image: Arc::new(image),
            })),
            Err(error) if on_error == OnError::Skip => {
                skipped.push(super::one_line(&error));
                None
            }
            Err(error) => Some(Err(error.into())),
        })
}

/// The next images of one size, at most `most`; `None` at the end.
///
/// An image that cannot be read ends the batch before it, so that what was read first is shown.
fn next_batch(
    images: &mut Peekable<impl Iterator<Item = Result<Numbered, RunError>>>,
    most: usize,
) -> Result<Option<Vec<Numbered>>, RunError> {
    let Some(first) = images.next() else {
        return Ok(None);
    };
    let first = first?;
    let size = (first.image.height, first.image.width);
    let mut batch = vec![first];
    while batch.len() < most {
        let same_size = |next: &Result<Numbered, RunError>| matches!(next, Ok(next) if (next.image.height, next.image.width) == size);
        match images.next_if(same_size) {
            Some(Ok(next)) => batch.push(next),
            _ => break,
        }
    }
    Ok(Some(batch))
}

/// One forward pass and its steps; `None` when the writer has stopped.
fn show(
    lane: &Lane,
    vgg: &Vgg,
    batch: &[Numbered],
    mut laps: Laps,
    config_text: Option<&str>,
) -> Result<Option<()>, RunError> {
    for Numbered { image, .. } in batch {
        require_size(lane, image)?;
    }
    let pictures: Vec<Arc<Prepared>> = batch.iter().map(|one| Arc::clone(&one.image)).collect();
    let what = pictures
        .first()
        .map(|image| image.title())
        .unwrap_or_default();
    let captured = laps.time(Stage::Forward, || lane.forward(vgg, &pictures, &what))?;
    for (at, Numbered { step, image }) in batch.iter().enumerate() {
        let Ok(mut open) = lane.begin(*step, image.title()) else {
            return Ok(None);
        };
        // The whole batch's time stands at its first step.
        open.laps.add(&std::mem::take(&mut laps));
        open.laps.add(&image.laps);
        let describe = config_text.is_some() && at == 0;
        if let (Some(text), 0) = (config_text, at) {
            open.add("config", Summary::text("config", text));
        }
        let folder: Arc<str> = Arc::from(format!("{step:06}_{}", image.name));
        open.make_maps(&captured, at, &Arc::from("feature_maps"), &folder, describe);
        if lane.kernels {
            open.make_kernels(vgg, lane.arch, &folder, describe);
        }
        open.make_input("input", image, describe);
        open.finish();
    }
    Ok(Some(()))
}
