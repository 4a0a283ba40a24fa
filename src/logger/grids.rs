//! How the grids of a step, and their changes, are begun: by a device, or by a rendering thread.

use std::ops::Range;

use burn::tensor::Tensor;

use super::error::LoggerError;
use super::grid_style::Job;
use super::on_device::{BatchMaps, draw};
use super::piece::{MeasureKey, Piece};
use super::renderer::{Renderer, change, changed};
use super::step::Step;
use crate::device::{Drawn, PairSums, ReadBack, caught, gpu, in_float32, values};
use feature_grid::{Picture, RenderError};

impl Step<'_> {
    /// Logs the feature maps of one image as a grid. They may be on any device, and are only read: on an NVIDIA GPU they
    /// are rendered there, elsewhere in the background. How their values are distributed is logged too, as
    /// scalars: `range/TAG/min`, `max`, `mean`, `std`, `zeros` (a fraction), `nan` and `infinite` (counts);
    /// a leading `feature_maps/` of the tag is left out there. Where steps are compared
    /// ([`Builder::compare`](super::Builder::compare)), so is how much they changed, and where changes are shown,
    /// a picture `change/TAG`.
    ///
    /// Shapes: `[1, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// Another shape.
    pub fn feature_maps(
        &mut self,
        tag: impl Into<String>,
        maps: Tensor<4>,
    ) -> Result<(), LoggerError> {
        let (tag, shape) = (tag.into(), maps.dims());
        if shape[0] != 1 {
            return Err(LoggerError::Batch(tag, shape));
        }
        let layer = tag.strip_prefix("feature_maps/").unwrap_or(&tag).to_owned();
        self.maps_of_layer(&tag, layer, &BatchMaps::new(maps), 0)
    }

    /// Logs convolution kernels over one or three input channels as a grid, in color where there are
    /// three, and scalars as for [`feature_maps`](Self::feature_maps).
    ///
    /// Shapes: `[kernels, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// Another number of channels.
    pub fn kernels(
        &mut self,
        tag: impl Into<String>,
        kernels: Tensor<4>,
    ) -> Result<(), LoggerError> {
        let (tag, kernels) = (tag.into(), in_float32(kernels));
        let [count, channels, ..] = kernels.dims();
        if ![1, 3].contains(&channels) {
            let source = RenderError::KernelChannels { channels };
            return Err(LoggerError::Render(tag, source));
        }
        let grid = self.logger.renderer.options.of_kernels(&tag);
        let job = self.job(tag.clone(), tag.clone(), count, grid);
        let shape = kernels.dims();
        self.of_values(tag, kernels, move |renderer, values| {
            renderer.kernels(job, shape, &values)
        });
        Ok(())
    }

    /// Logs a picture that a rendering thread makes of numbers, any shape, row by row.
    pub(crate) fn image_of<const D: usize>(
        &mut self,
        tag: String,
        numbers: Tensor<D>,
        make: impl FnOnce(Vec<f32>) -> Result<Picture, RenderError> + Send + 'static,
    ) {
        let (slot, describe) = (self.next_slot(), self.is_new(&tag));
        self.of_values(tag.clone(), numbers, move |renderer, values| {
            let picture = make(values);
            let picture = picture.map_err(|error| LoggerError::Render(tag.clone(), error))?;
            renderer.image(slot, tag, describe, &picture)
        });
    }

    /// As [`feature_maps`](Self::feature_maps), of the image `at` in a batch; maps of one `layer` share its scalars.
    pub(crate) fn maps_of_layer(
        &mut self,
        tag: &str,
        layer: String,
        batch: &BatchMaps,
        at: usize,
    ) -> Result<(), LoggerError> {
        let maps = batch.of_image(at);
        let shape = maps.dims();
        // Here and not by whichever thread comes first: the error names the first layer.
        let options = &self.logger.renderer.options;
        let mut grid = options.of_maps(tag, &layer, shape)?;
        let of_change = options.of_change(&layer, &grid);
        grid.framed = self.framed.get(&layer).cloned();
        let references = &self.past.references;
        if references.are_kept() {
            self.references.push((tag.to_owned(), maps.clone()));
        }
        let earlier = references.of(tag, &maps)?;
        if let Some(writing) = &mut self.past.writing {
            let free = || Some(gpu(&maps.device())?.ok()?.free_memory as u64);
            writing.queue.bound(free);
        }
        self.size += size_of::<f32>() as u64 * shape.iter().product::<usize>() as u64;
        let job = self.job(tag.to_owned(), layer.clone(), shape[1], grid);
        self.grid(job, maps.clone(), None, |job, read_back| {
            Ok(batch.drawn(job)?.read(at, read_back))
        })?;
        for (name, old) in earlier.measured {
            let key = MeasureKey {
                layer: layer.clone(),
                reference: Some(name),
            };
            self.change_of_maps(key, tag, maps.clone(), old)?;
        }
        let Some(old) = earlier.pictured else {
            return Ok(());
        };
        let of = tag.strip_prefix("feature_maps/").unwrap_or(tag);
        let job = self.job(format!("change/{of}"), layer, shape[1], of_change);
        let (new, before) = (maps.clone(), old.clone());
        self.grid(job, maps, Some(old), move |job, read_back| {
            Ok(draw(job, new - before)?.read(0, read_back))
        })
    }

    /// Has the grid of maps made, or of what they have more than the `old` ones: `on_device` where their device draws.
    fn grid(
        &mut self,
        job: Job,
        maps: Tensor<4>,
        old: Option<Tensor<4>>,
        on_device: impl FnOnce(&Job, &mut ReadBack) -> Result<Drawn<Range<usize>>, LoggerError>,
    ) -> Result<(), LoggerError> {
        let tag = job.tag.clone();
        if let Some(device) = self.on_devices.of(&maps.device()) {
            let drawn = caught(|| on_device(&job, &mut device.read_back));
            let drawn = drawn.map_err(|error| LoggerError::Draw(tag.clone(), error))??;
            device.then(tag, move |renderer, arriving| {
                let drawn = drawn.rendered(arriving, job.grid.chosen.as_deref())?;
                Ok(renderer.drawn_maps(job, drawn, maps, old))
            });
        } else {
            self.sender
                .spawn(tag, move |renderer| renderer.maps(job, maps, old));
        }
        Ok(())
    }

    fn change_of_maps(
        &mut self,
        key: MeasureKey,
        tag: &str,
        maps: Tensor<4>,
        old: Tensor<4>,
    ) -> Result<(), LoggerError> {
        let (slot, tag) = (self.next_slot(), tag.to_owned());
        let Some(device) = self.on_devices.of(&maps.device()) else {
            self.sender
                .spawn(tag.clone(), move |_| change(slot, &tag, key, maps, old));
            return Ok(());
        };
        let rows = |maps: &Tensor<4>| maps.clone().flatten::<3>(2, 3).flatten::<2>(0, 1);
        let sums = caught(|| PairSums::over_rows(rows(&old), rows(&maps)));
        let sums = sums.map_err(|error| LoggerError::Draw(tag.clone(), error))?;
        let place = device.read_back.add_numbers(sums);
        device.then(tag, move |_, arriving| {
            let sums = arriving.numbers(&place)?;
            let sums = PairSums::read(&sums).sum();
            Ok(Ok(changed(slot, key, sums)))
        });
        Ok(())
    }

    /// Has a rendering thread make a value of numbers, which their device may not be done with.
    fn of_values<const D: usize>(
        &mut self,
        tag: String,
        numbers: Tensor<D>,
        make: impl FnOnce(&Renderer, Vec<f32>) -> Result<Piece, LoggerError> + Send + 'static,
    ) {
        if let Some(device) = self.on_devices.of(&numbers.device()) {
            let place = device.read_back.add_numbers(numbers);
            device.then(tag, move |renderer, arriving| {
                Ok(make(renderer, arriving.floats(&place)?))
            });
        } else {
            self.sender.spawn(tag.clone(), move |renderer| {
                let read = values(numbers).map_err(|error| LoggerError::Copy(tag, error))?;
                make(renderer, read)
            });
        }
    }
}
