//! What changes from step to step: calibrated before the first one, measured at every one, and drawn and summed
//! up after the last.

mod activity;
mod calibrate;
mod channel_sums;
mod comparison_set;
mod evolution;
mod health;
mod representations;
mod weights;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use activity::Activity;
pub(crate) use calibrate::Calibration;
pub(crate) use comparison_set::{ComparisonSet, Grams};
pub(crate) use evolution::Evolution;
pub(crate) use weights::Snapshot;

use crate::figure::evenly;
use crate::logger::{FeatureLogger, LoggerError, Step};
use crate::probe::{Capture, ProbeError, Seen};
use crate::similarity::file::{GramsAbout, GramsFileError, GramsLayout, GramsWriter};
use crate::vgg::Vgg;

use representations::Representations;
use weights::WeightHistory;

/// Columns after which pictures over time are drawn again.
const DRAWN_EVERY: usize = 8;

/// What is compared from step to step.
pub(crate) struct Sweep {
    set: Option<ComparisonSet>,
    representations: Representations,
    evolution: Evolution,
    health: health::History,
    weights: WeightHistory,
    /// The steps, by index, that have a column in pictures.
    columns: Vec<usize>,
    /// Keeps the representations of each step for later, by its number.
    grams: Option<(GramsWriter, Vec<i64>)>,
    /// The step that has the pictures over time as they are now.
    drawn: Option<i64>,
    /// How many steps there were.
    steps: usize,
    is_bgr: bool,
    /// The probe image that strips show.
    shown: String,
}

impl Sweep {
    /// A sweep of `total` steps. `last` are the representations at its last one, where they are known.
    pub(crate) fn new(
        set: Option<ComparisonSet>,
        last: Option<Grams>,
        evolution: Evolution,
        total: usize,
        (is_bgr, shown): (bool, String),
    ) -> Self {
        Self {
            set,
            representations: Representations::new(last),
            evolution,
            health: health::History::default(),
            weights: WeightHistory::default(),
            columns: evenly(total, evolution::COLUMNS),
            grams: None,
            drawn: None,
            steps: 0,
            is_bgr,
            shown,
        }
    }

    /// Keeps the representations of these steps in a file, from which runs are compared later.
    pub(crate) fn keep_grams(
        &mut self,
        path: &Path,
        steps: Vec<i64>,
        (capture, preprocess): (&Capture, String),
    ) -> Result<(), GramsFileError> {
        let Some(set) = &self.set else {
            return Ok(());
        };
        let layout = GramsLayout {
            steps: steps.clone(),
            layers: capture.layers.iter().map(|layer| layer.tag()).collect(),
            sizes: set.sizes.clone(),
            about: GramsAbout {
                images: set.hash.clone(),
                preprocess,
                features: set.features.to_string(),
                arch: capture.arch.to_string(),
            },
        };
        self.grams = Some((GramsWriter::create(path, layout)?, steps));
        Ok(())
    }

    /// Measures a network, of which `seen` is what it makes of the probe images; `what` names it.
    pub(crate) fn measure(
        &mut self,
        capture: &Capture,
        vgg: &Vgg,
        seen: &Seen,
        step: &mut Step<'_>,
        what: &str,
    ) -> Result<(), ProbeError> {
        let place = self.columns.binary_search(&self.steps).ok();
        let has_column = place.is_some();
        let column = has_column.then(|| step.number().to_string());
        self.steps += 1;
        let mut activity = Activity::default();
        if let Some(set) = &self.set {
            let grams = set.run(capture, vgg, what, &mut activity)?;
            if let Some((writer, steps)) = &mut self.grams
                && let Ok(place) = steps.binary_search(&step.number())
            {
                writer.write(place, &grams)?;
            }
            for summary in self.representations.add(grams, column.clone()) {
                step.summary(summary);
            }
        } else {
            for (_, layer, maps) in seen.each() {
                activity.add(capture, layer, &maps)?;
            }
        }
        for summary in activity.scalars() {
            step.summary(summary);
        }
        let dead: BTreeMap<String, Vec<usize>> = activity
            .layers()
            .map(|(tag, layer)| (tag.to_owned(), layer.dead().collect()))
            .collect();
        let by_name = |(tag, dead): (&String, &Vec<usize>)| (name_of(tag).to_owned(), dead.clone());
        let dead_by_name = dead.iter().map(by_name).collect();
        self.weights
            .measure(capture, vgg, step, self.is_bgr, &dead_by_name)?;
        for (tag, dead) in dead {
            step.mark_dead(tag, dead);
        }
        self.health.add(&activity, column);
        if has_column {
            self.evolution.begin(step.number());
            for (image, layer, maps) in seen.each() {
                if image == 0 {
                    self.evolution.add_maps(&layer.tag(), maps)?;
                }
            }
            if let Some(kernels) = vgg.kernels().filter(|_| capture.kernels) {
                let tag = capture.kernels_tag();
                self.evolution.add_kernels(&tag, kernels, self.is_bgr)?;
            }
        }
        if place.is_some_and(|column| self.is_due(column)) {
            self.draw(step)?;
            self.drawn = Some(step.number());
        }
        Ok(())
    }

    /// Draws what is known only after the last step, and sums it up, a line each.
    pub(crate) fn finish(
        &self,
        logger: &mut FeatureLogger,
        last: i64,
    ) -> Result<Vec<String>, LoggerError> {
        if self.steps == 0 {
            return Ok(Vec::new());
        }
        let mut lines = self.weights.summary();
        lines.extend(self.health.note(&self.of_images()));
        let mut step = logger.after_step(last)?;
        // A tag has one value at a step.
        if self.drawn != Some(last) {
            self.draw(&mut step)?;
        }
        let items = lines.join("\n* ");
        step.text("summary", format!("* {items}\n"));
        step.finish();
        Ok(lines)
    }

    /// Logs the pictures over time, as far as they go.
    fn draw(&self, step: &mut Step<'_>) -> Result<(), LoggerError> {
        self.evolution.log(step, &format!("over {}", self.shown))?;
        self.health.log(step, &self.of_images())?;
        if self.set.is_some() {
            self.representations.log(step, &self.of_images())?;
        }
        Ok(())
    }

    /// Whether the pictures are drawn before the end: a long run is looked at while it goes on.
    fn is_due(&self, column: usize) -> bool {
        let columns = self.columns.len();
        columns == evolution::COLUMNS
            && (column + 1).is_multiple_of(DRAWN_EVERY)
            && column + 1 < columns
    }

    /// What activity and similarity are measured over.
    fn of_images(&self) -> String {
        match &self.set {
            Some(set) => format!("over {} comparison images", set.count()),
            None => "over the probe images".to_owned(),
        }
    }
}

/// `conv2_1` of `05_conv2_1`, as people call it.
fn name_of(tag: &str) -> &str {
    tag.split_once('_').map_or(tag, |(_, name)| name)
}
