//! What changes from step to step: calibrated before the first one, measured at every one, and drawn and summed
//! up after the last.

mod activity;
mod calibrate;
mod channel_sums;
mod columns;
mod comparison_set;
mod evolution;
mod health;
mod kept_grams;
mod look;
mod parts;
mod representations;
mod snapshot;
mod weights;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use activity::Activity;
pub(crate) use calibrate::Calibration;
pub(crate) use comparison_set::{ComparisonSet, Grams};
pub(crate) use evolution::Evolution;

use crate::analysis::probe::{ProbeActivations, ProbeError, kernels_tag};
use crate::analysis::similarity::file::{GramsAbout, GramsFileError, GramsLayout};
use crate::logger::{FeatureLogger, LoggerError, Step};
use crate::network::{ForwardPass, Network};

use columns::{Column, Columns};
use kept_grams::KeptGrams;
use representations::Representations;
use snapshot::Snapshot;
use weights::WeightHistory;

/// Columns after which pictures over time are drawn again.
const DRAWN_EVERY: usize = 8;

/// What a network makes of images.
pub(crate) struct Measured {
    /// The step that it is logged at.
    pub(crate) step: i64,
    /// Of the comparison images, if there are any.
    grams: Option<Grams>,
    /// Over them, or else over the probe images.
    activity: Activity,
}

impl Measured {
    /// Looks at a network, which has `seen` the probe images; `what` names it in errors.
    pub(crate) fn of(
        set: Option<&ComparisonSet>,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        (step, what): (i64, &str),
    ) -> Result<Self, ProbeError> {
        let mut activity = Activity::default();
        let run = |set: &ComparisonSet| set.run(pass, network, seen, what, &mut activity);
        let grams = set.map(run).transpose()?;
        if grams.is_none() {
            for (_, layer, maps) in seen.each() {
                activity.add(pass, layer, &maps)?;
            }
            activity.settle()?;
        }
        Ok(Self {
            step,
            grams,
            activity,
        })
    }

    /// The dead channels of each layer, by tag.
    fn dead(&self) -> BTreeMap<String, Vec<usize>> {
        let layers = self.activity.layers();
        layers
            .map(|(tag, layer)| (tag.to_owned(), layer.dead().collect()))
            .collect()
    }
}

/// What is compared from step to step.
pub(crate) struct Sweep {
    set: Option<ComparisonSet>,
    /// What is known of the last step before its turn comes.
    last: Option<Measured>,
    representations: Representations,
    evolution: Evolution,
    health: health::History,
    weights: WeightHistory,
    columns: Columns,
    /// The newest column goes when the next one comes.
    newest_goes: bool,
    /// Keeps the representations of each step for later.
    grams: Option<KeptGrams>,
    /// The step that has the pictures over time as they are now.
    drawn: Option<i64>,
    /// How many steps there were.
    steps: usize,
    is_bgr: bool,
    /// The probe image that strips show.
    shown: String,
}

impl Sweep {
    /// A sweep of `total` steps, or of nobody knows how many. `last` is what is known of its last one already.
    pub(crate) fn new(
        set: Option<ComparisonSet>,
        last: Option<Measured>,
        evolution: Evolution,
        total: Option<usize>,
        (is_bgr, shown): (bool, String),
    ) -> Self {
        Self {
            set,
            representations: Representations::new(
                last.as_ref().and_then(|last| last.grams.clone()),
            ),
            last,
            evolution,
            health: health::History::default(),
            weights: WeightHistory::default(),
            columns: Columns::of(total),
            newest_goes: false,
            grams: None,
            drawn: None,
            steps: 0,
            is_bgr,
            shown,
        }
    }

    /// Keeps the representations of these steps in a file, from which runs are compared later. A run that is
    /// resumed at the step `resumed` keeps those before it; returns whether that could be done.
    pub(crate) fn keep_grams(
        &mut self,
        path: &Path,
        (steps, resumed): (Vec<i64>, Option<i64>),
        (pass, preprocess): (&ForwardPass, String),
    ) -> Result<bool, GramsFileError> {
        let Some(set) = &self.set else {
            return Ok(true);
        };
        let layout = GramsLayout {
            steps,
            layers: pass.wanted.iter().map(|layer| layer.tag()).collect(),
            sizes: set.sizes.clone(),
            about: GramsAbout {
                images: set.hash.clone(),
                preprocess,
                features: set.features.to_string(),
                arch: pass.architecture.name(),
            },
        };
        let (grams, is_whole) = KeptGrams::create(path, layout, resumed)?;
        self.grams = Some(grams);
        Ok(is_whole)
    }

    /// Takes the network before the first step of a run that is resumed, with which its steps are compared.
    pub(crate) fn start_from(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        (step, what): (i64, &str),
    ) -> Result<(), ProbeError> {
        self.weights.start_from(Snapshot::of(pass, network)?);
        self.see(pass, network, seen, (step, what))
    }

    /// Takes a network whose step was logged before into the pictures over time.
    fn see(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        (step, what): (i64, &str),
    ) -> Result<(), ProbeError> {
        let measured = Measured::of(self.set.as_ref(), pass, network, seen, (step, what))?;
        let column = self.make_room();
        if let Some(grams) = &measured.grams {
            let label = (column != Column::None).then(|| step.to_string());
            self.representations.add(grams.clone(), label);
        }
        self.add_column(pass, network, seen, (&measured, column))
    }

    /// Takes the network that a run resumes from, which the next step is compared with.
    pub(crate) fn resume_from(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        (step, what): (i64, &str),
    ) -> Result<(), ProbeError> {
        let measured = Measured::of(self.set.as_ref(), pass, network, seen, (step, what))?;
        let snapshot = Snapshot::of(pass, network)?;
        self.weights
            .resume_from(snapshot, step, &by_name(&measured.dead()));
        if let Some(grams) = measured.grams {
            self.representations.add(grams, None);
        }
        Ok(())
    }

    /// Takes the network before an optimization step that ends in a logged one.
    pub(crate) fn before_update(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
    ) -> Result<(), ProbeError> {
        self.weights.before_update(Snapshot::of(pass, network)?);
        Ok(())
    }

    /// Measures a network, of which `seen` is what it makes of the probe images; `what` names it.
    pub(crate) fn measure(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        step: &mut Step<'_>,
        what: &str,
    ) -> Result<(), ProbeError> {
        let number = step.number();
        let measured = match self.last.take_if(|last| last.step == number) {
            Some(known) => known,
            None => Measured::of(self.set.as_ref(), pass, network, seen, (number, what))?,
        };
        let place = self.steps;
        let column = self.make_room();
        if let Some(grams) = &measured.grams {
            if let Some(kept) = &mut self.grams {
                kept.write(number, grams)?;
            }
            let label = (column != Column::None).then(|| number.to_string());
            for summary in self.representations.add(grams.clone(), label) {
                step.summary(summary);
            }
        }
        for summary in measured.activity.scalars() {
            step.summary(summary);
        }
        let dead = measured.dead();
        self.weights
            .measure(pass, network, step, self.is_bgr, &by_name(&dead))?;
        for (tag, dead) in dead {
            step.mark_dead(tag, dead);
        }
        self.add_column(pass, network, seen, (&measured, column))?;
        if self.columns.is_due(place, DRAWN_EVERY) {
            self.draw(step)?;
            self.drawn = Some(number);
        }
        Ok(())
    }

    /// Makes room in the pictures over time for the step that comes, and says what becomes of it.
    fn make_room(&mut self) -> Column {
        if std::mem::take(&mut self.newest_goes) {
            self.evolution.without_newest();
            self.health.without_newest();
            self.representations.without_newest();
        }
        if self.columns.thin_out(self.steps) {
            self.evolution.every_second();
            self.health.every_second();
            self.representations.every_second();
        }
        let column = self.columns.at(self.steps);
        self.newest_goes = column == Column::Newest;
        column
    }

    /// Adds a step to the pictures over time, if it is one that they show.
    fn add_column(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        (measured, column): (&Measured, Column),
    ) -> Result<(), ProbeError> {
        self.steps += 1;
        let has_column = column != Column::None;
        let label = has_column.then(|| measured.step.to_string());
        self.health.add(&measured.activity, label);
        if has_column {
            self.evolution.begin(measured.step);
            for (image, layer, maps) in seen.each() {
                if image == 0 {
                    self.evolution.add_maps(&layer.tag(), &maps)?;
                }
            }
            if let Some(kernels) = network
                .parameters()
                .kernels()
                .cloned()
                .filter(|_| pass.kernels)
            {
                let tag = kernels_tag(pass);
                self.evolution.add_kernels(&tag, &kernels, self.is_bgr)?;
            }
            self.evolution.end()?;
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
        let mut lines = self.weights.summary().lines();
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

    /// Draws the pictures over time as far as they go, at the last step.
    pub(crate) fn draw_now(
        &mut self,
        logger: &mut FeatureLogger,
        last: i64,
    ) -> Result<(), LoggerError> {
        if self.drawn == Some(last) {
            return Ok(());
        }
        let mut step = logger.after_step(last)?;
        self.draw(&mut step)?;
        step.finish();
        self.drawn = Some(last);
        Ok(())
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

    /// What activity and similarity are measured over.
    fn of_images(&self) -> String {
        match &self.set {
            Some(set) => format!("over {} comparison images", set.count()),
            None => "over the probe images".to_owned(),
        }
    }
}

fn by_name(by_tag: &BTreeMap<String, Vec<usize>>) -> BTreeMap<String, Vec<usize>> {
    let named = |(tag, dead): (&String, &Vec<usize>)| (name_of(tag).to_owned(), dead.clone());
    by_tag.iter().map(named).collect()
}

/// `conv2_1` of `05_conv2_1`, as people call it.
fn name_of(tag: &str) -> &str {
    tag.split_once('_').map_or(tag, |(_, name)| name)
}
