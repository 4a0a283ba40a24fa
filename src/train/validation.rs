//! The network on the validation samples, and which classes it confuses.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use burn::tensor::Device;

use super::batches::Reading;
use super::error::TrainError;
use super::record;
use super::score::{Score, cross_entropy, predicted};
use super::trainer::logits;
use crate::analysis::figure::{self, Cells, Figure, Matrix, Place, Shape};
use crate::data::labeled::{Batch, Dataset};
use crate::data::prepared::file_name;
use crate::device::caught;
use crate::logger::Step;
use crate::network::vgg::Vgg;
use feature_grid::{Colormap, Picture};

/// Between the images of a contact sheet. Units: pixels.
const GAP: usize = 4;

#[derive(Default)]
pub(super) struct Validation {
    pub(super) score: Score,
    /// How many samples of each class were predicted as which, `[classes, classes]`.
    confusion: Vec<u32>,
    /// The misclassified images with the highest loss, highest first.
    mistakes: Vec<Mistake>,
    skipped: Vec<String>,
}

struct Mistake {
    sample: usize,
    label: usize,
    predicted: usize,
    /// The probability of the wrong class, from 0 to 1.
    probability: f64,
    loss: f64,
    picture: Picture,
}

/// Remembers at most `most` mistakes. An interrupt waits for it: it is a part of its step.
pub(super) fn validate(
    network: &Vgg,
    data: &Dataset,
    reading: &Reading,
    device: &Device,
    most: usize,
) -> Result<Validation, TrainError> {
    let mut validation = Validation::default();
    for batch in reading.validation(data)? {
        validation.add(network, batch?, device, most)?;
    }
    Ok(validation)
}

impl Validation {
    fn add(
        &mut self,
        network: &Vgg,
        mut batch: Batch,
        device: &Device,
        most: usize,
    ) -> Result<(), TrainError> {
        let pictures = std::mem::take(&mut batch.pictures);
        let places = std::mem::take(&mut batch.samples);
        self.skipped.append(&mut batch.skipped);
        if places.is_empty() {
            return Ok(());
        }
        let labels = batch.labels.clone();
        let scores = caught(|| logits(network, batch.into(), device))
            .map_err(|source| TrainError::Backend {
                what: "validation".to_owned(),
                source,
            })?
            .ok_or(TrainError::NoClassifier)?;
        let classes = scores.len() / labels.len().max(1);
        let rows = scores.chunks_exact(classes.max(1));
        let mut loss = 0.0;
        for (((row, label), sample), picture) in rows.zip(&labels).zip(places).zip(pictures) {
            let own = cross_entropy(row, *label);
            loss += own;
            let predicted = predicted(row);
            self.confusion.resize(classes * classes, 0);
            if let Some(count) = self.confusion.get_mut(label * classes + predicted) {
                *count += 1;
            }
            if predicted != *label {
                self.mistakes.push(Mistake {
                    sample,
                    label: *label,
                    predicted,
                    probability: (-cross_entropy(row, predicted)).exp(),
                    loss: own,
                    picture,
                });
            }
        }
        self.mistakes
            .sort_by(|a, b| b.loss.total_cmp(&a.loss).then(a.sample.cmp(&b.sample)));
        self.mistakes.truncate(most);
        let mean = loss / labels.len().max(1) as f64;
        self.score.add(&Score::of(&scores, &labels, mean));
        Ok(())
    }

    fn confusion_matrix(&self, classes: &[String]) -> Figure {
        let row = |row: &[u32]| {
            let all: u32 = row.iter().sum();
            // A class without validation images has no fractions.
            let fraction = |count: &u32| *count as f32 / all as f32;
            row.iter().map(fraction).collect::<Vec<_>>()
        };
        let rows = self.confusion.chunks_exact(classes.len().max(1));
        Figure {
            title: "validation images".to_owned(),
            row_axis: "class".to_owned(),
            column_axis: "predicted as".to_owned(),
            rows: classes.to_vec(),
            columns: classes.to_vec(),
            cells: Cells::Matrix(Matrix {
                values: rows.flat_map(row).collect(),
                measure: "fraction of the class".to_owned(),
                colormap: Colormap::Viridis,
                has_numbers: true,
                ..Matrix::default()
            }),
            ..Figure::default()
        }
    }

    /// Scores, a confusion matrix, mistakes as a table and a contact sheet a pair. Returns the files left out.
    pub(super) fn log(self, data: &Dataset, step: &mut Step<'_>) -> Vec<String> {
        for summary in record::score_scalars("val", &self.score, data.classes.len()) {
            step.summary(summary);
        }
        if !self.confusion.is_empty() {
            let heading = "Validation images by class (rows) and predicted class (columns): the fraction of the class";
            self.confusion_matrix(&data.classes)
                .log(step, "val/confusion", heading);
        }
        if !self.mistakes.is_empty() {
            step.text("misclassified", table(&self.mistakes, data));
        }
        let mut pairs: BTreeMap<(usize, usize), Vec<Picture>> = BTreeMap::new();
        for mistake in self.mistakes {
            let pair = (mistake.label, mistake.predicted);
            pairs.entry(pair).or_default().push(mistake.picture);
        }
        for ((label, predicted), pictures) in pairs {
            let [label, predicted] = [label, predicted].map(|class| &data.classes[class]);
            let tag = format!("misclassified/{label} as {predicted}");
            step.describe(
                &*tag,
                format!("validation images of **{label}** predicted as **{predicted}**, highest loss first"),
            );
            step.image(tag, contact_sheet(&pictures));
        }
        self.skipped
    }
}

fn contact_sheet(pictures: &[Picture]) -> Picture {
    let (first, count) = (&pictures[0], pictures.len());
    let columns = (1..=count).find(|side| side * side >= count).unwrap_or(1);
    let [width, height] =
        [first.width, first.height].map(|side| (side as usize, side as usize + GAP));
    let tile = |(at, picture)| {
        let corner = [at % columns * width.1, at / columns * height.1];
        let place = [corner[0], corner[1], width.0, height.0];
        let [x, y, width, height] = place.map(|side| i32::try_from(side).unwrap_or(i32::MAX));
        Shape::Tile(Place::new(x, y, width, height), picture)
    };
    let tiles: Vec<Shape<'_>> = pictures.iter().enumerate().map(tile).collect();
    let whole = [
        columns * width.1 - GAP,
        count.div_ceil(columns) * height.1 - GAP,
    ];
    let [width, height] = whole.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    figure::picture(&tiles, width, height)
}

fn table(mistakes: &[Mistake], data: &Dataset) -> String {
    let mut text =
        String::from("| image | class | predicted | probability |\n| --- | --- | --- | --- |\n");
    for mistake in mistakes {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0}% |",
            file_name(&data.val[mistake.sample].path).replace('|', "\\|"),
            data.classes[mistake.label],
            data.classes[mistake.predicted],
            mistake.probability * 100.0
        );
    }
    text
}
