//! The pictures of feature maps and first-layer kernels.

use std::time::{Duration, Instant};

use crate::analysis::{AnalysisError, Bases, Components};
use crate::logger::{BatchMaps, FeatureLogger, LoggerError, Stage, Step};
use crate::network::{Activations, ForwardPass, Layer, Network};

pub(crate) fn describe(pass: &ForwardPass, logger: &mut FeatureLogger, group: &str) {
    let network = pass.architecture.name();
    for layer in &pass.wanted {
        let heading = format!(
            "**{}** (`{}`, {}) of {network}",
            layer.name(),
            layer.torch_name(),
            layer.what(),
        );
        logger.describe(format!("{group}/{}", layer.tag()), heading);
    }
    if let Some(first) = pass.first_convolution() {
        let heading = format!(
            "**first-layer kernels** (`{}.weight`) of {network}",
            first.torch_name()
        );
        logger.describe(kernels_tag(pass), heading);
    }
}

pub(crate) fn describe_pca(pass: &ForwardPass, logger: &FeatureLogger, group: &str, bases: &Bases) {
    for layer in &pass.wanted {
        logger.describe(format!("{group}/{}", layer.tag()), bases.heading(layer));
    }
}

/// The maps of a batch, ready to be logged: where a device draws them, it draws those of all images at once.
pub(crate) struct BatchPictures {
    maps: Vec<(Layer, BatchMaps)>,
    pca: Vec<Vec<Components>>,
    took: Duration,
}

impl BatchPictures {
    pub(crate) fn of(seen: &Activations, bases: Option<&Bases>) -> Result<Self, AnalysisError> {
        let began = Instant::now();
        let images = 0..seen.images();
        let pca = bases.map(|bases| images.map(|at| bases.of_image(seen, at)).collect());
        let pca = pca.transpose()?;
        let took = began.elapsed();
        let layers = seen.layers.iter();
        let maps = layers.map(|(layer, maps)| (layer.clone(), BatchMaps::new(maps.clone())));
        Ok(Self {
            maps: maps.collect(),
            pca: pca.unwrap_or_default(),
            took,
        })
    }

    pub(crate) fn log(
        &self,
        step: &mut Step<'_>,
        at: usize,
        group: &str,
    ) -> Result<(), LoggerError> {
        for (layer, maps) in &self.maps {
            step.maps_of_layer(&format!("{group}/{}", layer.tag()), layer.tag(), maps, at)?;
        }
        Ok(())
    }

    pub(crate) fn pca(&self, at: usize) -> &[Components] {
        self.pca.get(at).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn log_pca(&mut self, step: &mut Step<'_>, at: usize, group: &str) {
        step.record(Stage::Measure, std::mem::take(&mut self.took));
        for components in self.pca(at) {
            let tag = format!("{group}/{}", components.layer.tag());
            step.image_of(tag, components.planes.clone(), components.painter());
        }
    }
}

pub(crate) fn log_kernels(
    pass: &ForwardPass,
    network: &dyn Network,
    step: &mut Step<'_>,
) -> Result<(), LoggerError> {
    match network.parameters().kernels() {
        Some(kernels) if pass.kernels => step.kernels(kernels_tag(pass), kernels.clone()),
        _ => Ok(()),
    }
}

pub(crate) fn kernels_tag(pass: &ForwardPass) -> String {
    let first = pass.first_convolution();
    format!(
        "kernels/{}",
        first.as_ref().map(Layer::tag).unwrap_or_default()
    )
}
