//! Calibration: what is found out of the first and the last checkpoint before the first step.

use super::loading::{LoadedNetwork, Loader};
use super::remaining::Remaining;
use super::setup::CheckpointRun;
use crate::analysis::grams::GRAMS;
use crate::analysis::probe::ProbeActivations;
use crate::analysis::{Bases, Calibration, ObservedNetwork, Observers, Role};
use crate::commands::calibration::{self, ReferenceMaps, RunStyle};
use crate::commands::context::RunContext;
use crate::commands::error::RunError;
use crate::data::checkpoints::Checkpoint;
use crate::logger::Against;
use crate::settings::{ChangeChoice, MapsChoice, RangeChoice};

/// What the steps are shown and compared with.
pub(super) struct Calibrated {
    pub(super) run_style: RunStyle,
    /// What measures them, unless they are not compared.
    pub(super) observers: Option<Observers>,
    /// What the first checkpoint made of the probe images, to which it spares a forward pass.
    pub(super) first: Option<FirstPass>,
}

/// What a checkpoint made of the probe images before its step.
pub(super) struct FirstPass {
    pub(super) step: i64,
    pub(super) probes: ProbeActivations,
}

impl CheckpointRun<'_> {
    /// Runs the end points of the sequence, where anything is to be known of them before the first step.
    pub(super) fn calibrate(
        &mut self,
        loader: &mut Loader,
        remaining: &Remaining,
    ) -> Result<Calibrated, RunError> {
        let comparison_images = self.comparison.take();
        let (settings, folder) = (self.settings, &self.context.folder);
        let (pass, comparison) = (&self.context.pass, &settings.comparison);
        let mut observers = comparison.is_on().then(|| {
            // Of a part nothing is drawn before all are done.
            let columns = self.part.map_or(remaining.steps().len(), |_| 0);
            let total = (!settings.follows()).then_some(columns);
            calibration::observers(comparison_images, &settings.run, pass, &self.probes, total)
        });
        let mut pictures = settings.pictures();
        let known = self.known_bases(remaining)?;
        let mut ends = EndPoints {
            run: self,
            loader,
            observers: observers.as_mut(),
            given: Vec::new(),
            first: None,
            wants_bases: known.is_none() && !pictures.no_pca,
            bases: known,
        };
        let mut calibration = ends.calibrate()?;
        let EndPoints {
            mut given,
            first,
            bases,
            ..
        } = ends;
        if !remaining.is_new() {
            // The steps that follow are shown as those before them: what other files said then is in the run's own.
            if let Some(RangeChoice::File(_)) = pictures.range {
                pictures.range = Some(RangeChoice::Run);
            }
            if let MapsChoice::Of(_) = pictures.maps {
                pictures.maps = MapsChoice::All;
            }
            calibration::take_from(folder, &mut pictures);
            let earlier = calibration::earlier_ranges(folder)?;
            calibration.ranges.keep_changes(earlier);
        }
        let mut run_style =
            calibration::run_style(&calibration, &pictures, Some(comparison), pass)?;
        if let Some(observers) = &mut observers {
            observers.set_calibration(&calibration, pass, settings.run.pictures.style());
        }
        if remaining.goes_on() && (observers.is_some() || comparison.change.is_shown()) {
            given.extend(self.resume(observers.as_mut(), loader, remaining)?);
        }
        if let Some(observers) = &mut observers {
            let preprocess = self.context.preprocess.to_string();
            observers.keep_grams(folder.claim(GRAMS), remaining.resumed, pass, preprocess)?;
        }
        (run_style.references, run_style.bases) = (given, bases);
        Ok(Calibrated {
            run_style,
            observers,
            first,
        })
    }
}

impl CheckpointRun<'_> {
    /// The bases of the PCA pictures, unless they are to be made of the end points.
    fn known_bases(&self, remaining: &Remaining) -> Result<Option<Bases>, RunError> {
        let RunContext { folder, pass, .. } = &self.context;
        let folder = (!remaining.is_new()).then_some(folder);
        calibration::known_bases(folder, &self.settings.pictures(), pass, self.terminal())
    }
}

/// The checkpoints that a run is calibrated on.
struct EndPoints<'a> {
    run: &'a CheckpointRun<'a>,
    loader: &'a mut Loader,
    observers: Option<&'a mut Observers>,
    /// The maps of the file that changes are shown against.
    given: Vec<ReferenceMaps>,
    first: Option<FirstPass>,
    wants_bases: bool,
    bases: Option<Bases>,
}

impl EndPoints<'_> {
    fn calibrate(&mut self) -> Result<Calibration, RunError> {
        let (run, on_error) = (self.run, self.run.settings.on_error());
        let sequence = run.shown();
        let mut calibration = Calibration::default();
        self.run_given(&mut calibration)?;
        for place in self.places() {
            let found = self.loader.nearest(sequence, place, on_error)?;
            let Some(LoadedNetwork { file, network }) = found else {
                continue;
            };
            let Checkpoint { name, step, .. } = file;
            let observed = run.probes.run(&run.context.pass, &*network, name)?;
            // What changes from step to step is smaller than what changes over the run.
            let is_previous = run.settings.comparison.change == ChangeChoice::Previous;
            calibration.add(&observed, !is_previous || place == 1)?;
            if let Some(observers) = &mut self.observers
                && place + 1 == sequence.len()
            {
                observers.replay(*step, Role::Last, &observed)?;
            }
            if self.wants_bases && place + 1 == sequence.len() {
                self.bases = Some(self.bases(*step, &observed)?);
            }
            if place == 0 {
                self.first = Some(FirstPass {
                    step: *step,
                    probes: observed.probes,
                });
            }
        }
        Ok(calibration)
    }

    /// The bases of the PCA pictures, of the first checkpoint and this one, the last.
    fn bases(&self, step: i64, last: &ObservedNetwork<'_>) -> Result<Bases, RunError> {
        let first = self.first.as_ref();
        let ends = first
            .map(|first| &first.probes)
            .into_iter()
            .chain([&last.probes]);
        let maps = ends.flat_map(|probes| probes.each().map(|(_, layer, maps)| (layer, maps)));
        let over = self.run.probes.names().count();
        let from = match first {
            Some(first) => format!("the checkpoints at steps {} and {step}", first.step),
            None => format!("the checkpoint at step {step}"),
        };
        Ok(Bases::of(maps, format!("{from}, {over} probe images"))?)
    }

    /// The places of the checkpoints that are run before the first step.
    fn places(&self) -> Vec<usize> {
        let settings = self.run.settings;
        let comparison = &settings.comparison;
        if !self.wants_bases && !calibration::is_needed(&settings.pictures(), comparison) {
            return Vec::new();
        }
        let last = self.run.shown().len() - 1;
        let mut places = vec![0, last];
        if comparison.change == ChangeChoice::Previous {
            places.push(1.min(last));
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Runs the network that changes are shown against, where a file was given.
    fn run_given(&mut self, calibration: &mut Calibration) -> Result<(), RunError> {
        let Some(path) = self.run.settings.comparison.change.file() else {
            return Ok(());
        };
        let name = path.display().to_string();
        let network = self.loader.network(&Checkpoint {
            path: path.to_owned(),
            name: name.clone(),
            step: 0,
        })?;
        let CheckpointRun {
            context, probes, ..
        } = self.run;
        let observed = probes.run(&context.pass, &*network, &name)?;
        self.given = calibration::references(&observed, probes, Against::Given);
        calibration.set_base(&observed);
        Ok(())
    }
}
