//! The pictures of feature maps and first-layer kernels.

use crate::logger::{BatchMaps, FeatureLogger, LoggerError, Step};
use crate::network::{Activations, ForwardPass, Layer, Network};

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

/// The maps of a batch, ready to be logged: where a device draws them, it draws those of all images at once.
pub(crate) struct BatchPictures(Vec<(Layer, BatchMaps)>);

impl BatchPictures {
    pub(crate) fn of(seen: &Activations) -> Self {
        let layers = seen.layers.iter();
        let pictures = layers.map(|(layer, maps)| (layer.clone(), BatchMaps::new(maps.clone())));
        Self(pictures.collect())
    }

    /// Logs the maps of the image at `at` in the batch, under tags of `group`.
    pub(crate) fn log(
        &self,
        step: &mut Step<'_>,
        at: usize,
        group: &str,
    ) -> Result<(), LoggerError> {
        for (layer, maps) in &self.0 {
            step.maps_of_layer(&format!("{group}/{}", layer.tag()), layer.tag(), maps, at)?;
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
