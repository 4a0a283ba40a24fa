//! What is found out of the reference checkpoints before the first step.

use super::loading::{Loading, nearest_readable};
use super::resume::{OfRun, take_up};
use crate::analysis::probe::{ProbeActivations, ProbeImages};
use crate::analysis::{Calibration, ComparisonImages, ObservedNetwork, Observers, Role};
use crate::commands::calibration::{self, ReferenceMaps, Settled};
use crate::commands::error::RunError;
use crate::data::checkpoints::Checkpoint;
use crate::logger::Against;
use crate::network::vgg::Vgg;
use crate::network::{ForwardPass, Network};
use crate::settings::{ChangeChoice, CheckpointsSettings};

/// What the steps are shown and compared with.
pub(super) struct Calibrated {
    pub(super) settled: Settled,
    /// What measures them, unless they are not compared.
    pub(super) observers: Option<Observers>,
    /// What the first checkpoint made of the probe images, with its step, to which it spares a forward pass.
    pub(super) seen: Option<(i64, ProbeActivations)>,
}

/// Looks at the reference checkpoints, as far as anything is to be known of them before the first step.
pub(super) fn calibrate(
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    loading: &Loading<'_>,
    probes: &ProbeImages,
    set: Option<ComparisonImages>,
    of_run: &OfRun<'_>,
) -> Result<Calibrated, RunError> {
    let OfRun {
        plan,
        folder,
        split,
        context,
    } = *of_run;
    let comparison = &settings.comparison;
    let mut pictures = settings.pictures();
    let pass = loading.pass;
    let mut observers = comparison.is_on().then(|| {
        // Of a part nothing is drawn before all are done.
        let columns = match split {
            Some(_) => 0,
            None => plan.steps().len(),
        };
        let total = (!settings.follows()).then_some(columns);
        calibration::observers(set, &settings.run, pass, probes, total)
    });
    let mut looker = Looker {
        settings,
        sequence,
        loading,
        probes,
        observers: observers.as_mut(),
        given: Vec::new(),
        first_seen: None,
    };
    let mut calibration = match split {
        None => looker.look()?,
        Some(split) => {
            let shared = split.calibration(context, || looker.look())?;
            looker.look_at_last()?;
            shared
        }
    };
    let Looker {
        mut given,
        first_seen,
        ..
    } = looker;
    if plan.goes_on() && split.is_none() {
        // The steps that follow are shown as those before them.
        calibration::take_from(folder, &mut pictures);
        calibration
            .ranges
            .keep_changes(calibration::earlier_ranges(folder)?);
    }
    let settled = calibration::settle(&calibration, &pictures, Some(comparison), pass)?;
    if let Some(observers) = &mut observers {
        let style = settings.run.pictures.style();
        observers.set_calibration(&calibration, pass, style);
    }
    if plan.goes_on() && (observers.is_some() || comparison.change.is_shown()) {
        let observers = observers.as_mut();
        given.extend(take_up(observers, settings, loading, probes, of_run)?);
    }
    Ok(Calibrated {
        settled: settled.with_references(given),
        observers,
        seen: first_seen,
    })
}

/// Looks at the reference checkpoints.
struct Looker<'a> {
    settings: &'a CheckpointsSettings,
    sequence: &'a [Checkpoint],
    loading: &'a Loading<'a>,
    probes: &'a ProbeImages,
    observers: Option<&'a mut Observers>,
    /// What the maps of the file that was given are.
    given: Vec<ReferenceMaps>,
    /// What the first one makes of the probe images.
    first_seen: Option<(i64, ProbeActivations)>,
}

impl Looker<'_> {
    fn look(&mut self) -> Result<Calibration, RunError> {
        let (loading, probes, count) = (self.loading, self.probes, self.sequence.len());
        let (pass, change) = (loading.pass, &self.settings.comparison.change);
        let mut calibration = Calibration::default();
        if let Some((network, seen)) = self.look_at_given()? {
            let name = "the network that changes are shown against";
            calibration.set_base(&observed(pass, &network, &seen, name));
        }
        for reference in references(self.settings, count) {
            let found = nearest_readable(self.sequence, reference, loading, self.settings)?;
            let Some((checkpoint, network)) = found else {
                continue;
            };
            let (name, step) = (checkpoint.name.as_str(), checkpoint.step);
            let seen = probes.run(pass, &network, name)?;
            // What changes from step to step is smaller than what changes over the run.
            let with_change = *change != ChangeChoice::Previous || reference == 1;
            let network = observed(pass, &network, &seen, name);
            calibration.add(&network, with_change)?;
            if let Some(observers) = &mut self.observers
                && reference + 1 == count
            {
                observers.replay(step, Role::Last, &network)?;
            }
            if reference == 0 {
                self.first_seen = Some((step, seen));
            }
        }
        Ok(calibration)
    }

    /// Looks at the network that was given to compare with, if one was.
    fn look_at_given(&mut self) -> Result<Option<(Vgg, ProbeActivations)>, RunError> {
        let Some(path) = self.settings.comparison.change.file() else {
            return Ok(None);
        };
        let pass = self.loading.pass;
        let (network, _) = self.loading.load(path)?;
        let seen = self
            .probes
            .run(pass, &network, &path.display().to_string())?;
        let given = observed(pass, &network, &seen, "");
        self.given = calibration::references(&given, self.probes, Against::Given);
        Ok(Some((network, seen)))
    }

    /// Looks at what every process needs of the references, where another one has looked at them.
    fn look_at_last(&mut self) -> Result<(), RunError> {
        if self.given.is_empty() {
            self.look_at_given()?;
        }
        let Some(observers) = self
            .observers
            .as_mut()
            .filter(|observers| observers.needs_last())
        else {
            return Ok(());
        };
        let place = self.sequence.len().saturating_sub(1);
        let found = nearest_readable(self.sequence, place, self.loading, self.settings)?;
        if let Some((checkpoint, network)) = found {
            let (pass, name) = (self.loading.pass, checkpoint.name.as_str());
            let seen = self.probes.run(pass, &network, name)?;
            let network = observed(pass, &network, &seen, name);
            observers.replay(checkpoint.step, Role::Last, &network)?;
        }
        Ok(())
    }
}

/// A network that has seen the probe images.
pub(super) fn observed<'a>(
    pass: &'a ForwardPass,
    network: &'a dyn Network,
    probes: &'a ProbeActivations,
    name: &'a str,
) -> ObservedNetwork<'a> {
    ObservedNetwork {
        pass,
        network,
        probes,
        name,
    }
}

/// The places of the checkpoints that are looked at before the first step.
fn references(settings: &CheckpointsSettings, count: usize) -> Vec<usize> {
    let comparison = &settings.comparison;
    if !calibration::is_needed(&settings.pictures(), comparison) {
        return Vec::new();
    }
    let mut places = vec![0, count - 1];
    if comparison.change == ChangeChoice::Previous {
        places.push(1.min(count - 1));
    }
    places.sort_unstable();
    places.dedup();
    places
}
