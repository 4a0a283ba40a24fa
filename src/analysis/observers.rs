//! The observers of a run, step after step: of one process, of one that resumes, and of a part of a run.

use std::path::PathBuf;

use super::change::{Activations, Found, Summary, WeightChange};
use super::columns::Columns;
use super::evolution::Evolution;
use super::grams::{GramsAbout, GramsError, GramsWriter};
use super::health::Health;
use super::probe::{ProbeImages, kernels_tag};
use super::representations::Representations;
use super::{
    AnalysisError, Calibration, ComparisonImages, Images, LayerMaps, Moment, ObservedNetwork,
    Observer, Role, Shared,
};
use crate::logger::{FeatureLogger, Framed, LoggerError, Step};
use crate::network::{ForwardPass, Layer};
use feature_grid::Style;

pub(crate) struct Observers {
    images: Option<ComparisonImages>,
    representations: Representations,
    health: Health,
    change: WeightChange,
    evolution: Evolution,
    shared: Shared,
    /// The place of the next step among all.
    pub(crate) place: usize,
    /// The step that has the images over time as they are now.
    drawn: Option<i64>,
}

impl Observers {
    pub(crate) fn new(
        images: Option<ComparisonImages>,
        total: Option<usize>,
        is_bgr: bool,
        probes: &ProbeImages,
    ) -> Self {
        let over = match &images {
            Some(images) => images.over(),
            None => "over the probe images".to_owned(),
        };
        Self {
            representations: Representations::new(images.as_ref()),
            health: Health::new(probes, images.as_ref()),
            change: WeightChange::default(),
            evolution: Evolution::default(),
            shared: Shared {
                columns: Columns::of(total),
                activations: Activations::default(),
                ahead: None,
                over,
                probe: probes.names().next().unwrap_or_default().to_owned(),
                is_bgr,
            },
            images,
            place: 0,
            drawn: None,
        }
    }

    pub(super) fn compare_images(&self) -> bool {
        self.images.is_some()
    }

    /// Shows in strips the channels that change most between the calibrated networks, with the colors of `style`.
    pub(crate) fn set_calibration(
        &mut self,
        calibration: &Calibration,
        pass: &ForwardPass,
        style: Style,
    ) {
        let layers = pass.wanted.iter();
        let layers = layers.map(|layer| (layer.tag(), calibration.ranked(&layer.tag())));
        let tag = kernels_tag(pass);
        let kernels = pass.kernels.then(|| {
            let order = calibration.ranked(&tag);
            (tag, order)
        });
        self.evolution = Evolution::new(layers.chain(kernels), style);
    }

    /// Keeps those before the step `resumed`; returns whether there are any, and none had to go.
    pub(crate) fn keep_grams(
        &mut self,
        folder: PathBuf,
        resumed: Option<i64>,
        pass: &ForwardPass,
        preprocess: String,
    ) -> Result<bool, GramsError> {
        let Some(images) = &self.images else {
            return Ok(true);
        };
        let about = GramsAbout {
            images: images.hash.clone(),
            minibatches: images.sizes.clone(),
            preprocess,
            features: images.features.to_string(),
            arch: pass.architecture.name(),
        };
        let layers: Vec<String> = pass.wanted.iter().map(Layer::tag).collect();
        let first = resumed.unwrap_or(i64::MIN);
        let writer = GramsWriter::open(folder, about, &layers, first)?;
        let has_earlier = resumed.is_none() || writer.is_whole;
        self.representations.writer = Some(writer);
        Ok(has_earlier)
    }

    pub(crate) fn observe(
        &mut self,
        step: &mut Step<'_>,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        let (number, place) = (step.number(), self.place);
        self.place += 1;
        let has_column = self.shared.columns.begin(place, number);
        self.visit(number, Role::Logged, has_column, Some(step), network)?;
        let Activations {
            images, inactive, ..
        } = &self.shared.activations;
        for (tag, inactive) in inactive {
            let framed = Framed {
                channels: inactive.channels.clone(),
                what: images.verdict(),
            };
            step.frame(tag.clone(), framed);
        }
        if self.shared.columns.is_due(place) {
            self.draw(step)?;
            self.drawn = Some(number);
        }
        Ok(())
    }

    /// Takes the network of a step that this process does not log, as the `role` says.
    pub(crate) fn replay(
        &mut self,
        step: i64,
        role: Role,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        if role == Role::Last && self.images.is_none() {
            return Ok(());
        }
        let mut has_column = false;
        if let Role::First | Role::Column = role {
            has_column = self.shared.columns.begin(self.place, step);
            self.place += 1;
        }
        self.visit(step, role, has_column, None, network)?;
        if role == Role::Last {
            self.shared.ahead = Some(step);
        }
        Ok(())
    }

    pub(crate) fn before_update(
        &mut self,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        self.change.before_update(network)
    }

    fn visit(
        &mut self,
        number: i64,
        role: Role,
        has_column: bool,
        step: Option<&mut Step<'_>>,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        let Self {
            images,
            representations,
            health,
            change,
            evolution,
            shared,
            ..
        } = self;
        let mut observers: [&mut dyn Observer; 4] = [representations, health, change, evolution];
        let is_known = role == Role::Logged && shared.ahead == Some(number);
        let mut at = Moment {
            number,
            role,
            has_column,
            step,
            shared,
        };
        let pass = network.pass;
        for (image, layer, maps) in network.probes.each() {
            let maps = LayerMaps {
                pass,
                images: Images::Probe(image),
                layer,
                parts: &[maps],
            };
            for observer in &mut observers {
                observer.activations(&at, &maps)?;
            }
        }
        if let Some(images) = images.as_ref().filter(|_| !is_known) {
            images.run(network, |layer, parts| {
                let maps = LayerMaps {
                    pass,
                    images: Images::Comparison,
                    layer,
                    parts,
                };
                let mut observers = observers.iter_mut();
                observers.try_for_each(|observer| observer.activations(&at, &maps))
            })?;
        }
        let mut observers = observers.into_iter();
        observers.try_for_each(|observer| observer.weights(&mut at, network))
    }

    /// What changes in weights stands first, then what activations show.
    fn all(&self) -> [&dyn Observer; 4] {
        [
            &self.evolution,
            &self.change,
            &self.health,
            &self.representations,
        ]
    }

    fn draw(&self, step: &mut Step<'_>) -> Result<(), LoggerError> {
        let mut observers = self.all().into_iter();
        observers.try_for_each(|observer| observer.draw(step, &self.shared))
    }

    pub(crate) fn draw_now(
        &mut self,
        logger: &mut FeatureLogger,
        last: i64,
    ) -> Result<(), LoggerError> {
        // A tag has one value at a step.
        if self.drawn == Some(last) {
            return Ok(());
        }
        let mut step = logger.after_step(last)?;
        self.draw(&mut step)?;
        step.finish();
        self.drawn = Some(last);
        Ok(())
    }

    /// Draws what is known only after the last step, and logs the summary.
    pub(crate) fn finish(
        self,
        logger: &mut FeatureLogger,
        last: i64,
    ) -> Result<Summary, LoggerError> {
        if self.place == 0 {
            return Ok(self.change.summary);
        }
        let mut step = logger.after_step(last)?;
        if self.drawn != Some(last) {
            self.draw(&mut step)?;
        }
        let summary = self.change.summary;
        let lines = summary.lines().join("\n* ");
        step.text("Overview/summary", format!("* {lines}\n"));
        step.finish();
        Ok(summary)
    }

    pub(crate) fn summary(&mut self) -> &mut Summary {
        &mut self.change.summary
    }

    pub(crate) fn latest(&self) -> &Found {
        &self.change.latest
    }

    /// Goes on behind the steps of earlier processes, of which those that have a column are replayed.
    pub(crate) fn begin_behind(&mut self, earlier: usize) {
        self.shared.columns.begin_behind(earlier);
    }

    pub(crate) fn has_column(&self, place: usize) -> bool {
        self.shared.columns.includes(place)
    }

    /// Draws images over time where a process that makes the whole run does: after the step before the next one.
    pub(crate) fn draw_if_due(
        &mut self,
        logger: &mut FeatureLogger,
        step: i64,
    ) -> Result<(), LoggerError> {
        match self.place.checked_sub(1) {
            Some(place) if self.shared.columns.is_due(place) => self.draw_now(logger, step),
            _ => Ok(()),
        }
    }
}
