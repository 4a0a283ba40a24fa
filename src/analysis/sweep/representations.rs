//! How alike the representations of the comparison images are from step to step.

use crate::analysis::figure::HeatMap;
use crate::analysis::similarity::{Similarity, cka};
use crate::logger::{LoggerError, Step};
use tensorboard_events::Summary;

use super::columns::every_second;
use super::comparison_set::Grams;

/// What the steps' representations are compared with, and what is kept of them.
#[derive(Default)]
pub(super) struct Representations {
    first: Option<Grams>,
    previous: Option<Grams>,
    /// Those of the run's last step, where they are known before it.
    last: Option<Grams>,
    /// The steps that have a column in pictures.
    columns: Vec<(String, Grams)>,
}

impl Representations {
    pub(super) fn new(last: Option<Grams>) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// The scalars of a step, of which `grams` are; `column` is its label in pictures, if it has one.
    pub(super) fn add(&mut self, grams: Grams, column: Option<String>) -> Vec<Summary> {
        let references = [
            ("first", &self.first),
            ("previous", &self.previous),
            ("last", &self.last),
        ];
        let mut summaries = Vec::new();
        for (name, reference) in references {
            for (layer, gram) in &grams {
                let old = reference
                    .as_ref()
                    .and_then(|reference| reference.get(layer));
                if let Some(old) = old {
                    summaries.extend(scalars(layer, name, &Similarity::between(gram, old)));
                }
            }
        }
        if let Some(label) = column {
            self.columns.push((label, grams.clone()));
        }
        self.first.get_or_insert_with(|| grams.clone());
        self.previous = Some(grams);
        summaries
    }

    /// Takes the newest column out.
    pub(super) fn without_newest(&mut self) {
        self.columns.pop();
    }

    /// Takes every second column out.
    pub(super) fn every_second(&mut self) {
        every_second(&mut self.columns);
    }

    /// Logs the heat maps of the steps so far: step x step for each layer, and layer x layer, the last step
    /// against the first.
    pub(super) fn log(&self, step: &mut Step<'_>, of: &str) -> Result<(), LoggerError> {
        let (Some(first), Some(last)) = (&self.first, &self.previous) else {
            return Ok(());
        };
        let labels: Vec<String> = self
            .columns
            .iter()
            .map(|(label, _)| label.clone())
            .collect();
        for layer in first.keys() {
            let grams = || self.columns.iter().map(|(_, grams)| grams.get(layer));
            let values = grams().flat_map(|row| grams().map(move |column| alike(row, column)));
            let picture = HeatMap::of_similarity(
                layer.clone(),
                labels.clone(),
                labels.clone(),
                values.collect(),
            );
            let tag = format!("similarity/steps/{layer}");
            let heading =
                format!("**{layer}**: debiased linear CKA of all steps with all steps, {of}");
            step.describe(&tag, heading);
            step.image(tag, &picture.picture())?;
        }
        let values = last
            .values()
            .flat_map(|row| first.values().map(|column| alike(Some(row), Some(column))));
        let layers: Vec<String> = first.keys().cloned().collect();
        let picture = HeatMap::of_similarity(
            "last x first".to_owned(),
            layers.clone(),
            layers,
            values.collect(),
        );
        let heading = format!(
            "Debiased linear CKA of the layers at the last step (rows) with those at the first (columns), {of}"
        );
        step.describe("similarity/layers", heading);
        step.image("similarity/layers", &picture.picture())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "for a color")]
fn alike(
    one: Option<&crate::analysis::similarity::Gram>,
    two: Option<&crate::analysis::similarity::Gram>,
) -> f32 {
    let value = one.zip(two).and_then(|(one, two)| cka(one, two));
    value.map_or(f32::NAN, |value| value as f32)
}

/// The scalars of a layer against `first`, `previous` or `last`.
fn scalars(layer: &str, reference: &str, similarity: &Similarity) -> Vec<Summary> {
    let scalar = |(name, end, value)| {
        let tag = format!("similarity/{layer}/{name}_to_{reference}{end}");
        Summary::scalar(tag, value)
    };
    similarity.numbers().map(scalar).collect()
}
