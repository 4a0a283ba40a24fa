//! Health of channels: which ones are dead or dormant, and how often each is on.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::channel_sums::ChannelSums;
use crate::analysis::probe::ProbeError;
use crate::device::{all_values, guarded, is_channels_last};
use crate::network::ForwardPass;
use crate::network::{Layer, LayerKind};
use tensorboard_events::Summary;

/// A channel whose mean activation is at most this fraction of its layer's is dormant.
///
/// Source: Sokar and others, "The Dormant Neuron Phenomenon in Deep Reinforcement Learning" (2023), tau.
const DORMANT: f64 = 0.025;

/// The activity of a layer's channels after ReLU, over the images of one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerActivity {
    /// The sum of each channel's means over images.
    sums: Vec<f64>,
    /// The sum of the fractions of its values that are above 0.
    on: Vec<f64>,
    images: f64,
    /// Sums that are still on the device, and over how many values of a map each is.
    unread: Vec<(Tensor<1>, f64)>,
}

impl LayerActivity {
    /// Adds feature maps, `[batch, channels, height, width]`.
    fn add(&mut self, maps: Tensor<4>) -> Result<(), String> {
        let [images, channels, height, width] = maps.dims();
        #[expect(clippy::cast_precision_loss, reason = "pixels of a map")]
        let area = (height * width) as f64;
        self.sums.resize(channels, 0.0);
        self.on.resize(channels, 0.0);
        if is_channels_last(&maps) {
            self.take(&ChannelSums::in_memory(&maps)?, area);
        } else {
            self.unread.push((ChannelSums::on_device(maps), area));
        }
        #[expect(clippy::cast_precision_loss, reason = "images")]
        let images = images as f64;
        self.images += images;
        Ok(())
    }

    fn take(&mut self, sums: &ChannelSums, area: f64) {
        for (all, new) in [(&mut self.sums, &sums.positive), (&mut self.on, &sums.on)] {
            for (all, new) in all.iter_mut().zip(new) {
                *all += new / area;
            }
        }
    }

    /// The fraction of its values that are above 0, by channel.
    pub(crate) fn on_rates(&self) -> impl Iterator<Item = f64> {
        self.on.iter().map(|on| on / self.images.max(1.0))
    }

    /// The channels that are never above 0. NaN is no sign of death.
    pub(crate) fn dead(&self) -> impl Iterator<Item = usize> {
        let is_dead = |(channel, (on, sum)): (usize, (&f64, &f64))| {
            (*on == 0.0 && *sum == 0.0).then_some(channel)
        };
        self.on
            .iter()
            .zip(&self.sums)
            .enumerate()
            .filter_map(is_dead)
    }

    /// The scalars of a layer.
    fn scalars(&self, layer: &str) -> Vec<Summary> {
        #[expect(clippy::cast_precision_loss, reason = "channels")]
        let [count, dead] = [self.on.len() as f64, self.dead().count() as f64];
        let mean = self.sums.iter().sum::<f64>() / count;
        let dormant = self.sums.iter().filter(|sum| **sum <= DORMANT * mean);
        #[expect(clippy::cast_precision_loss, reason = "channels")]
        let dormant = dormant.count() as f64;
        let on = self.on_rates().sum::<f64>() / count;
        [
            ("dead", dead / count),
            ("dormant", dormant / count),
            ("on_rate", on),
        ]
        .map(|(name, value)| Summary::scalar(format!("health/{layer}/{name}"), value))
        .to_vec()
    }
}

/// The activity of all layers at one step.
#[derive(Debug, Default)]
pub(crate) struct Activity(BTreeMap<String, LayerActivity>);

impl Activity {
    /// Adds what `layer` makes of images, if it is one whose activity is looked at.
    pub(crate) fn add(
        &mut self,
        pass: &ForwardPass,
        layer: &Layer,
        maps: &Tensor<4>,
    ) -> Result<(), ProbeError> {
        if !shows_activity(pass, layer) {
            return Ok(());
        }
        let so_far = self.0.entry(layer.tag()).or_default();
        let added = guarded(|| so_far.add(maps.clone()));
        added
            .and_then(|result| result)
            .map_err(|why| ProbeError::Copy {
                layer: layer.tag(),
                why,
            })
    }

    /// Reads what is still on a device, all of it at once.
    pub(crate) fn settle(&mut self) -> Result<(), ProbeError> {
        let mut unread = Vec::new();
        for (tag, layer) in &mut self.0 {
            let of_layer = layer.unread.drain(..);
            unread.extend(of_layer.map(|(sums, area)| (tag.clone(), sums, area)));
        }
        let Some((first, sums, _)) = unread.first() else {
            return Ok(());
        };
        let (first, device) = (first.clone(), sums.device());
        let here = |(_, sums, _): &(_, Tensor<1>, _)| sums.clone().to_device(&device);
        let read = guarded(|| all_values(unread.iter().map(here).collect()));
        let read = read.and_then(|result| result);
        let read = read.map_err(|why| ProbeError::Copy { layer: first, why })?;
        for ((tag, _, area), sums) in unread.iter().zip(read) {
            if let Some(layer) = self.0.get_mut(tag) {
                layer.take(&ChannelSums::read(&sums), *area);
            }
        }
        Ok(())
    }

    /// The layers, by tag.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&str, &LayerActivity)> {
        self.0.iter().map(|(tag, layer)| (tag.as_str(), layer))
    }

    pub(crate) fn scalars(&self) -> Vec<Summary> {
        self.layers()
            .flat_map(|(tag, layer)| layer.scalars(tag))
            .collect()
    }
}

/// Whether a layer's values say how active its channels are: a ReLU's, or those right before one that is
/// not shown itself, where what is below 0 counts as 0.
fn shows_activity(pass: &ForwardPass, layer: &Layer) -> bool {
    let layers = pass.architecture.all_layers();
    let next = layers.get(layer.index + 1);
    layer.kind == LayerKind::Relu
        || next.is_some_and(|next| next.kind == LayerKind::Relu && !pass.wanted.contains(next))
}
