//! What a training compares its logged steps with.

use super::calibration::{self, ReferenceMaps, RunStyle};
use super::context::{Context, placement};
use super::error::RunError;
use super::parameters;
use super::start;
use crate::analysis::grams::GRAMS;
use crate::analysis::probe::ProbeImages;
use crate::analysis::{Bases, Calibration, ObservedNetwork, Observers, Role};
use crate::commands::remedy::explain;
use crate::data::labeled::Dataset;
use crate::data::notes::InputNotes;
use crate::logger::Against;
use crate::network::vgg::Vgg;
use crate::network::{ForwardPass, Model};
use crate::schedule::Interval;
use crate::settings::TrainSettings;
use crate::state::RunFolder;

pub(super) struct Length {
    /// The step that it resumes from; `None` at the beginning.
    pub(super) resumed: Option<u64>,
    pub(super) total: u64,
    pub(super) per_epoch: u64,
}

pub(super) struct Training<'a> {
    pub(super) settings: &'a TrainSettings,
    pub(super) dataset: &'a Dataset,
    pub(super) pass: &'a ForwardPass,
    pub(super) probes: &'a ProbeImages,
    pub(super) network: &'a Vgg,
    pub(super) folder: &'a RunFolder,
    pub(super) length: &'a Length,
    /// What was found at the steps before, as the checkpoint that it resumes from has it.
    pub(super) found: Option<&'a str>,
}

impl Training<'_> {
    /// Calibrates, by the network before the first step of this process, what all steps are shown and compared with.
    pub(super) fn calibrate(
        &self,
        input: &InputNotes,
        skipped: &mut Vec<String>,
        context: &Context,
    ) -> Result<(RunStyle, Option<Observers>), RunError> {
        let (settings, pass, probes) = (self.settings, self.pass, self.probes);
        let comparison = &settings.comparison;
        let run = &settings.run;
        let images = calibration::comparison_images(comparison, run, pass, probes, input, skipped)?;
        let mut calibration = Calibration::default();
        let mut references = Vec::new();
        if let Some(path) = comparison.change.file() {
            let (held, weights) = parameters::open_file(path, &settings.run.network)?;
            let model = Model::Vgg(Some(held.arch));
            let network = model.build(&weights, &pass.wanted, placement(pass, 1))?;
            let name = path.display().to_string();
            let network = probes.run(pass, &*network, &name)?;
            calibration.set_base(&network);
            references = calibration::references(&network, probes, Against::Given);
        }
        let mut pictures = settings.run.pictures.clone();
        if settings.resume {
            // The steps that follow are shown as those before them.
            calibration::take_from(self.folder, &mut pictures);
        }
        let earlier = settings.resume.then_some(self.folder);
        let mut bases = calibration::known_bases(earlier, &pictures, pass, &context.terminal)?;
        let wants_bases = bases.is_none() && !pictures.no_pca;
        let mut seen = None;
        if wants_bases || calibration::is_needed(&pictures, comparison) {
            let what = "the network before training";
            let network = seen.insert(probes.run(pass, self.network, what)?);
            calibration.add(network, true)?;
            if wants_bases {
                let maps = network.probes.each().map(|(_, layer, maps)| (layer, maps));
                let step = self.length.resumed.unwrap_or(0);
                let over = probes.names().count();
                let from = format!("the network at step {step}, {over} probe images");
                bases = Some(Bases::of(maps, from)?);
            }
        }
        if settings.resume {
            let earlier = calibration::earlier_ranges(self.folder)?;
            calibration.ranges.keep_changes(earlier);
        }
        let mut run_style =
            calibration::run_style(&calibration, &pictures, Some(comparison), pass)?;
        let mut observers = comparison.is_on().then(|| {
            let total = Some(self.logged_steps().len());
            let mut observers = calibration::observers(images, run, pass, probes, total);
            observers.set_calibration(&calibration, pass, run.pictures.style());
            if let Some(found) = self.found {
                // Older checkpoints hold none.
                *observers.summary() = toml::from_str(found).unwrap_or_default();
            }
            observers
        });
        if let (Some(step), Some(seen)) = (self.length.resumed, &seen)
            && (observers.is_some() || comparison.change.is_shown())
        {
            references.extend(self.resume(observers.as_mut(), step, seen, context)?);
        }
        if let Some(observers) = &mut observers {
            self.keep_grams(observers, context)?;
        }
        (run_style.references, run_style.bases) = (references, bases);
        Ok((run_style, observers))
    }

    /// Continues the comparison where an earlier process left it: with the network that the training started
    /// from, and the one that it resumes from. Returns what the maps of the next steps are compared with.
    fn resume(
        &self,
        mut observers: Option<&mut Observers>,
        step: u64,
        now: &ObservedNetwork<'_>,
        context: &Context,
    ) -> Result<Vec<ReferenceMaps>, RunError> {
        let (pass, probes) = (self.pass, self.probes);
        let mut references = match self.initial(step, context) {
            Some(first) => {
                let name = "the network that the training started from";
                let network = probes.run(pass, &first, name)?;
                if let Some(observers) = observers.as_deref_mut() {
                    observers.replay(0, Role::First, &network)?;
                }
                calibration::references(&network, probes, Against::First)
            }
            None => calibration::references(now, probes, Against::First),
        };
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        if self.logged_steps().binary_search(&step).is_err() {
            context.terminal.note(&format!(
                "the next logged step is compared with step {step}, from which the run resumes, instead of the last logged one"
            ));
        }
        if let Some(observers) = observers {
            observers.replay(step, Role::Previous, now)?;
        }
        references.extend(calibration::references(now, probes, Against::Previous));
        Ok(references)
    }

    /// The network that the training started from, if it can be made again.
    fn initial(&self, step: u64, context: &Context) -> Option<Vgg> {
        let why = match start::initial_network(self.settings, self.dataset, self.pass, context) {
            Ok(first) if self.network.variant == first.variant => return Some(first),
            Ok(_) => "it had other widths".to_owned(),
            Err(error) => explain(&*error),
        };
        context.terminal.note(&format!(
            "steps are compared with step {step} instead of the first: the network that the training started from cannot be made again: {why}"
        ));
        None
    }

    fn keep_grams(&self, observers: &mut Observers, context: &Context) -> Result<(), RunError> {
        let pass = self.pass;
        let next = self
            .length
            .resumed
            .and_then(|step| i64::try_from(step).ok());
        let preprocess = self.settings.run.input.preprocess();
        let preprocess = preprocess.for_network(pass.is_gray()).to_string();
        let folder = match next {
            Some(_) => self.folder.path().join(GRAMS),
            None => self.folder.claim(GRAMS),
        };
        let resumed = next.map(|step| step + 1);
        if !observers.keep_grams(folder, resumed, pass, preprocess)? {
            context.terminal.note(&format!(
                "{GRAMS} lacks earlier steps: they were compared over other images or layers, or not at all, or their files are damaged or gone"
            ));
        }
        Ok(())
    }

    /// The steps that show the probe images, the first and the last among them.
    fn logged_steps(&self) -> Vec<i64> {
        let total = self.length.total;
        let every = match self.settings.record.every {
            Interval::Never => total,
            Interval::Epoch => self.length.per_epoch,
            Interval::Steps(every) => every,
        };
        let step_by = usize::try_from(every.max(1)).unwrap_or(usize::MAX);
        let steps = (0..total).step_by(step_by).chain([total]);
        steps.filter_map(|step| i64::try_from(step).ok()).collect()
    }
}
