//! The pictures of feature maps and first-layer kernels.

use std::time::{Duration, Instant};

use crate::analysis::{AnalysisError, Bases};
use crate::logger::{BatchMaps, FeatureLogger, LoggerError, Stage, Step};
use crate::network::{Activations, ForwardPass, Layer, Network};
use feature_grid::Picture;

/// Describes the tags of `group` in TensorBoard.
pub(crate) fn describe(pass: &ForwardPass, logger: &mut FeatureLogger, group: &str) {
    let network = pass.architecture.name();
    for layer in &pass.wanted {
        let heading = format!(
            "**{}** (`{}`, {}) of {network}",
            layer.name(),
            layer.torch_name(),
            layer.kind,
        );
        logger.describe(format!("{group}/{}", layer.tag()), heading);
    }
    if let Some(first) = pass.architecture.layers().first() {
        let heading = format!(
            "**first-layer kernels** (`{}.weight`) of {network}",
            first.torch_name()
        );
        logger.describe(kernels_tag(pass), heading);
    }
}

/// Describes the tags of PCA pictures, under `group`.
pub(crate) fn describe_pca(pass: &ForwardPass, logger: &FeatureLogger, group: &str, bases: &Bases) {
    for layer in &pass.wanted {
        logger.describe(format!("{group}/{}", layer.tag()), bases.heading(layer));
    }
}

/// The maps of a batch, ready to be logged: where a device draws them, it draws those of all images at once.
pub(crate) struct BatchPictures {
    maps: Vec<(Layer, BatchMaps)>,
    /// By image, and layer.
    pca: Vec<Vec<(Layer, Picture)>>,
    /// How long these took.
    took: Duration,
}

impl BatchPictures {
    /// With PCA pictures where there are `bases`.
    pub(crate) fn of(seen: &Activations, bases: Option<&Bases>) -> Result<Self, AnalysisError> {
        let began = Instant::now();
        let pca = bases.map(|bases| bases.pictures(seen)).transpose()?;
        let took = began.elapsed();
        let layers = seen.layers.iter();
        let maps = layers.map(|(layer, maps)| (layer.clone(), BatchMaps::new(maps.clone())));
        Ok(Self {
            maps: maps.collect(),
            pca: pca.unwrap_or_default(),
            took,
        })
    }

    /// Logs the maps of the image at `at` in the batch, under tags of `group`.
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

    /// The PCA pictures of the image at `at`, which are not logged yet.
    pub(crate) fn pca(&self, at: usize) -> &[(Layer, Picture)] {
        self.pca.get(at).map_or(&[], Vec::as_slice)
    }

    /// Logs its PCA pictures, once.
    pub(crate) fn log_pca(
        &mut self,
        step: &mut Step<'_>,
        at: usize,
        group: &str,
    ) -> Result<(), LoggerError> {
        step.record(Stage::Measure, std::mem::take(&mut self.took));
        for (layer, picture) in self.pca.get_mut(at).into_iter().flat_map(std::mem::take) {
            step.images(format!("{group}/{}", layer.tag()), vec![picture])?;
        }
        Ok(())
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
    let layers = pass.architecture.layers();
    format!(
        "kernels/{}",
        layers.first().map(Layer::tag).unwrap_or_default()
    )
}
