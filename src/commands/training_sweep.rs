//! What a training compares its logged steps with.

use super::calibration::Calibrator;
use super::context::{RunContext, placement};
use super::error::RunError;
use super::parameters;
use super::run_style::{RunStyle, references};
use super::start;
use crate::analysis::grams::GRAMS;
use crate::analysis::probe::ProbeImages;
use crate::analysis::{ComparisonImages, ObservedNetwork};
use crate::commands::remedy::explain;
use crate::data::labeled::Dataset;
use crate::logger::Against;
use crate::network::Model;
use crate::network::vgg::Vgg;
use crate::schedule::Interval;
use crate::settings::TrainSettings;

pub(super) struct Length {
    /// The step that it resumes from; `None` at the beginning.
    pub(super) resumed: Option<u64>,
    pub(super) total: u64,
    pub(super) per_epoch: u64,
}

/// A training before its first step of this process.
pub(super) struct Training<'a> {
    pub(super) settings: &'a TrainSettings,
    pub(super) dataset: &'a Dataset,
    pub(super) run: &'a RunContext<'a>,
    pub(super) probes: &'a ProbeImages,
    pub(super) network: &'a Vgg,
    pub(super) length: &'a Length,
    /// What was found at the steps before, as the checkpoint that it resumes from has it.
    pub(super) found: Option<&'a str>,
}

impl Training<'_> {
    /// Calibrates, by the network before the first step of this process, what all steps are shown and compared with.
    pub(super) fn calibrate(&self, images: Option<ComparisonImages>) -> Result<RunStyle, RunError> {
        let (settings, run, probes) = (self.settings, self.run, self.probes);
        let comparison = &settings.comparison;
        let pictures = run.settings.pictures.clone();
        let mut calibrator = Calibrator::new(
            run,
            probes,
            comparison,
            pictures,
            settings.resume,
            images,
            Some(self.logged_steps().len()),
        )?;
        if let Some(path) = comparison.change.file() {
            let network = &run.settings.network;
            let key = network.weights_key.as_deref();
            let (held, weights) = parameters::open_file(path, key, network.arch)?;
            let model = Model::Vgg(Some(held.arch));
            let network = model.build(&weights, &run.pass.wanted, placement(&run.pass, 1))?;
            let name = path.display().to_string();
            calibrator.set_base(&probes.run(&run.pass, &*network, &name)?);
        }
        let mut seen = None;
        if calibrator.is_needed() {
            let what = "the network before training";
            let network = seen.insert(probes.run(&run.pass, self.network, what)?);
            calibrator.add(network, true)?;
            let step = self.length.resumed.unwrap_or(0);
            calibrator.find_bases([&network.probes], &format!("the network at step {step}"))?;
        }
        let mut run_style = calibrator.finish()?;
        if let (Some(observers), Some(found)) = (&mut run_style.observers, self.found) {
            // Older checkpoints hold none.
            *observers.summary() = toml::from_str(found).unwrap_or_default();
        }
        if let (Some(step), Some(seen)) = (self.length.resumed, &seen)
            && run_style.compares()
        {
            self.resume(&mut run_style, step, seen)?;
        }
        let next = self.length.resumed.map(|step| step.saturating_add(1));
        let next = next.and_then(|step| i64::try_from(step).ok());
        if !run_style.keep_grams(run, next)? {
            run.context.terminal.note(&format!(
                "{GRAMS} lacks earlier steps: they were compared over other images or layers, or not at all, or their files are damaged or gone"
            ));
        }
        Ok(run_style)
    }

    /// Continues the comparison where an earlier process left it: with the network that the training started
    /// from, and the one that it resumes from.
    fn resume(
        &self,
        style: &mut RunStyle,
        step: u64,
        now: &ObservedNetwork<'_>,
    ) -> Result<(), RunError> {
        let (run, probes) = (self.run, self.probes);
        match self.initial(step) {
            Some(first) => {
                let name = "the network that the training started from";
                let network = probes.run(&run.pass, &first, name)?;
                style.replay(0, &network, probes, Against::First)?;
            }
            None => (style.references).extend(references(now, probes, Against::First)),
        }
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        if self.logged_steps().binary_search(&step).is_err() {
            run.context.terminal.note(&format!(
                "the next logged step is compared with step {step}, from which the run resumes, instead of the last logged one"
            ));
        }
        style.replay(step, now, probes, Against::Previous)
    }

    /// The network that the training started from, if it can be made again.
    fn initial(&self, step: u64) -> Option<Vgg> {
        let why = match start::initial_network(self.settings, self.dataset, self.run) {
            Ok(first) if self.network.variant == first.variant => return Some(first),
            Ok(_) => "it had other widths".to_owned(),
            Err(error) => explain(&*error),
        };
        self.run.context.terminal.note(&format!(
            "steps are compared with step {step} instead of the first: the network that the training started from cannot be made again: {why}"
        ));
        None
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
