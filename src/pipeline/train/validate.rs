//! The network judged on the validation samples, and what it mistakes for what.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use burn::tensor::Device;

use super::data::{Reading, samples};
use crate::dataset::{Batch, Dataset};
use crate::events::Summary;
use crate::input::Picture;
use crate::pipeline::RunError;
use crate::pipeline::guard::guarded;
use crate::pipeline::lane::OpenStep;
use crate::pipeline::load::file_name;
use crate::pipeline::pictures::side_by_side;
use crate::render;
use crate::train::{Score, cross_entropy, logits};
use crate::vgg::Vgg;

/// What a validation came to.
pub(super) struct Validation {
    pub(super) score: Score,
    /// The worst mistakes, the worst first.
    mistakes: Vec<Mistake>,
    /// Files that were left out, each with the reason.
    pub(super) skipped: Vec<String>,
}

/// A sample taken for another class.
struct Mistake {
    sample: usize,
    label: usize,
    taken_for: usize,
    /// How sure the network was of the wrong class, from 0 to 1.
    share: f64,
    loss: f64,
    picture: Picture,
}

/// Judges `network`, remembering at most `most` mistakes.
pub(super) fn validate(
    network: &Vgg,
    data: &Dataset,
    reading: &Reading,
    device: &Device,
    most: usize,
) -> Result<Validation, RunError> {
    let mut validation = Validation {
        score: Score::default(),
        mistakes: Vec::new(),
        skipped: Vec::new(),
    };
    let mut loader = reading.validation(data)?;
    for batch in &mut loader {
        validation.judge(network, batch?, device, most)?;
    }
    validation.skipped.extend(loader.skipped_at_end());
    Ok(validation)
}

impl Validation {
    fn judge(
        &mut self,
        network: &Vgg,
        mut batch: Batch,
        device: &Device,
        most: usize,
    ) -> Result<(), RunError> {
        let pictures = std::mem::take(&mut batch.pictures);
        let places = std::mem::take(&mut batch.samples);
        self.skipped.append(&mut batch.skipped);
        let samples = samples(batch);
        let labels = samples.labels.clone();
        let scores = guarded(|| logits(network, samples, device))
            .map_err(|why| RunError::Backend {
                what: "validation".to_owned(),
                why,
            })?
            .ok_or(RunError::Crashed)?;
        let classes = scores.len() / labels.len().max(1);
        let rows = scores.chunks_exact(classes.max(1));
        let mut loss = 0.0;
        for (((row, label), sample), picture) in rows.zip(&labels).zip(places).zip(pictures) {
            let own = cross_entropy(row, *label);
            loss += own;
            self.note(row, *label, sample, picture, own);
        }
        self.mistakes
            .sort_by(|a, b| b.loss.total_cmp(&a.loss).then(a.sample.cmp(&b.sample)));
        self.mistakes.truncate(most);
        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        let mean = loss / labels.len().max(1) as f64;
        self.score.add(&Score::of(&scores, &labels, mean));
        Ok(())
    }

    fn note(&mut self, row: &[f32], label: usize, sample: usize, picture: Picture, loss: f64) {
        let highest = row
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map_or(label, |(class, _)| class);
        if highest != label {
            self.mistakes.push(Mistake {
                sample,
                label,
                taken_for: highest,
                share: (-cross_entropy(row, highest)).exp(),
                loss,
                picture,
            });
        }
    }

    /// Adds the mistakes to a step: a tag for each pair of classes with the pictures, the worst
    /// first, and a table.
    pub(super) fn show(self, data: &Dataset, open: &mut OpenStep) {
        if self.mistakes.is_empty() {
            return;
        }
        open.add(
            "misclassified",
            Summary::text("misclassified", table(&self.mistakes, data)),
        );
        let mut pairs: BTreeMap<(usize, usize), Vec<Picture>> = BTreeMap::new();
        for mistake in self.mistakes {
            let pair = (mistake.label, mistake.taken_for);
            pairs.entry(pair).or_default().push(mistake.picture);
        }
        for ((label, taken_for), pictures) in pairs {
            let (label, taken_for) = (&data.classes[label], &data.classes[taken_for]);
            let tag = format!("misclassified/{label} as {taken_for}");
            let description = format!(
                "validation images of **{label}** that the network takes for **{taken_for}**, the worst first"
            );
            let pictures: Vec<_> = pictures.into_iter().map(drawable).collect();
            open.make(move |_, slot| side_by_side(slot, tag, description, &pictures));
        }
    }
}

fn drawable(picture: Picture) -> render::Picture {
    // Sides are crops of at most 16384 pixels.
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    render::Picture::rgb(
        side(picture.width()),
        side(picture.height()),
        picture.into_pixels(),
    )
}

fn table(mistakes: &[Mistake], data: &Dataset) -> String {
    let mut text =
        String::from("| image | class | taken for | share |\n| --- | --- | --- | --- |\n");
    for mistake in mistakes {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0}% |",
            file_name(&data.val[mistake.sample].path).replace('|', "\\|"),
            data.classes[mistake.label],
            data.classes[mistake.taken_for],
            mistake.share * 100.0
        );
    }
    text
}
