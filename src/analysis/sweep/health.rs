//! The activity of channels over all steps.

use std::collections::BTreeMap;

use super::activity::Activity;
use super::columns::every_second;
use super::name_of;
use crate::analysis::figure::HeatMap;
use crate::logger::{LoggerError, Step};
use feature_grid::Colormap;

/// A layer of which more than this fraction is dead is worth a line in the terminal.
const MANY_DEAD: f64 = 0.1;

/// How often every channel of each layer is on, a column a step.
#[derive(Default)]
pub(super) struct History {
    layers: BTreeMap<String, Vec<Vec<f32>>>,
    steps: Vec<String>,
    /// Layers of which many channels were dead at the last step that was seen.
    many_dead: Vec<String>,
}

impl History {
    /// Adds a step; `column` is its label in pictures, if it has one.
    pub(super) fn add(&mut self, activity: &Activity, column: Option<String>) {
        self.many_dead = activity
            .layers()
            .filter_map(|(tag, layer)| {
                let (dead, all) = (layer.dead().count(), layer.on_rates().count());
                #[expect(clippy::cast_precision_loss, reason = "channels")]
                let fraction = dead as f64 / all as f64;
                (fraction > MANY_DEAD).then(|| format!("{} ({dead} of {all})", name_of(tag)))
            })
            .collect();
        let Some(column) = column else {
            return;
        };
        self.steps.push(column);
        for (tag, layer) in activity.layers() {
            #[expect(clippy::cast_possible_truncation, reason = "for a color")]
            let rates = layer.on_rates().map(|rate| rate as f32).collect();
            self.layers.entry(tag.to_owned()).or_default().push(rates);
        }
    }

    /// Takes the newest column out.
    pub(super) fn without_newest(&mut self) {
        self.steps.pop();
        for columns in self.layers.values_mut() {
            columns.pop();
        }
    }

    /// Takes every second column out.
    pub(super) fn every_second(&mut self) {
        every_second(&mut self.steps);
        for columns in self.layers.values_mut() {
            every_second(columns);
        }
    }

    /// What is to be said at the end, if anything; `of` says over which images.
    pub(super) fn note(&self, of: &str) -> Option<String> {
        (!self.many_dead.is_empty()).then(|| {
            format!(
                "more than 10% of the channels are dead (never above 0 after ReLU, {of}) at the last step: {}",
                self.many_dead.join(", ")
            )
        })
    }

    /// Logs a heat map of each layer, channel x step.
    pub(super) fn log(&self, step: &mut Step<'_>, of: &str) -> Result<(), LoggerError> {
        for (layer, columns) in &self.layers {
            let channels = columns.iter().map(Vec::len).max().unwrap_or(0);
            let row = |channel: usize| {
                columns
                    .iter()
                    .map(move |column| column.get(channel).copied().unwrap_or(f32::NAN))
            };
            let map = HeatMap {
                title: layer.clone(),
                rows: (0..channels).map(|channel| channel.to_string()).collect(),
                columns: self.steps.clone(),
                values: (0..channels).flat_map(row).collect(),
                range: (0.0, 1.0),
                colormap: Colormap::Magma,
                numbers: false,
            };
            let tag = format!("health/{layer}");
            let heading = format!(
                "**{layer}**: the fraction of its values that are above 0, by channel (rows) and step (columns), {of}; a dead channel is black"
            );
            step.describe(&tag, heading);
            step.image(tag, &map.picture())?;
        }
        Ok(())
    }
}
