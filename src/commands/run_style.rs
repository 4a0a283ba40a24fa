//! How a run over several networks is shown and compared, the same at all its steps.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::Serialize;

use super::context::RunContext;
use super::error::RunError;
use super::terminal::Terminal;
use crate::analysis::change::Summary;
use crate::analysis::grams::GRAMS;
use crate::analysis::probe::ProbeImages;
use crate::analysis::{BASES, Bases, ObservedNetwork, Observers, Role};
use crate::logger::{Against, Builder, Channels, FeatureLogger, Ranges};
use crate::network::ForwardPass;
use crate::state::{RunFolder, StateError, binary};

pub(super) const RANGES: &str = "ranges.toml";

pub(super) const CHANNELS: &str = "channels.toml";

/// Maps, or kernels, that those of a tag are compared with.
pub(super) struct ReferenceMaps {
    tag: String,
    maps: Tensor<4>,
    as_what: Against,
}

/// How a run is shown, fixed before its first step.
pub(super) struct RunStyle {
    pub(super) ranges: Ranges,
    pub(super) channels: Channels,
    pub(super) changes: Option<Against>,
    pub(super) compare: bool,
    /// Maps of networks that are none of this process's steps.
    pub(super) references: Vec<ReferenceMaps>,
    pub(super) bases: Option<Bases>,
    /// What measures the steps, unless they are not compared.
    pub(super) observers: Option<Observers>,
}

impl RunStyle {
    pub(super) fn apply(&self, builder: Builder) -> Builder {
        let builder = builder
            .ranges(self.ranges.clone())
            .channels(self.channels.clone())
            .compare(self.compare);
        match self.changes {
            Some(against) => builder.changes(against),
            None => builder,
        }
    }

    /// Hands over maps and bases to what shows the run, and describes its tags.
    pub(super) fn hand_over(
        &mut self,
        logger: &mut FeatureLogger,
        probes: &mut ProbeImages,
        pass: &ForwardPass,
    ) {
        for reference in self.references.drain(..) {
            logger.reference(reference.tag, reference.maps, reference.as_what);
        }
        probes.show_pca(self.bases.take());
        probes.describe(pass, logger);
    }

    /// Whether steps are compared with earlier ones.
    pub(super) fn compares(&self) -> bool {
        self.observers.is_some() || self.changes.is_some()
    }

    /// Takes the network of a step that an earlier process logged, which the next steps are compared with `as_what`.
    pub(super) fn replay(
        &mut self,
        step: i64,
        network: &ObservedNetwork<'_>,
        probes: &ProbeImages,
        as_what: Against,
    ) -> Result<(), RunError> {
        if let Some(observers) = &mut self.observers {
            let role = match as_what {
                Against::First => Role::First,
                Against::Previous | Against::Given => Role::Previous,
            };
            observers.replay(step, role, network)?;
        }
        self.references.extend(references(network, probes, as_what));
        Ok(())
    }

    /// Keeps the Gram matrices before the step `resumed`; returns whether none had to go.
    pub(super) fn keep_grams(
        &mut self,
        run: &RunContext<'_>,
        resumed: Option<i64>,
    ) -> Result<bool, RunError> {
        let Some(observers) = &mut self.observers else {
            return Ok(true);
        };
        let (folder, preprocess) = (run.folder.claim(GRAMS), run.preprocess.to_string());
        Ok(observers.keep_grams(folder, resumed, &run.pass, preprocess)?)
    }

    /// The files in a run's folder that hold ranges and channels, by name, for its later steps and for other runs.
    pub(super) fn files(&self) -> Result<BTreeMap<String, String>, RunError> {
        let mut files = BTreeMap::new();
        if !self.ranges.is_empty() {
            let about = "The range of each layer at every step: --range THIS_FILE shows another run with the same ones.";
            files.insert(RANGES.to_owned(), toml_text(about, &self.ranges)?);
        }
        if !self.channels.is_empty() {
            let about = "The channels of each layer that are shown: --maps THIS_FOLDER shows the same ones of another run.";
            files.insert(CHANNELS.to_owned(), toml_text(about, &self.channels)?);
        }
        if let Some(bases) = &self.bases {
            files.insert(BASES.to_owned(), binary(&bases.to_bytes()?));
        }
        Ok(files)
    }
}

/// Writes those files of a run that is resumed where they are not as it left them: all its steps are shown alike.
pub(super) fn restore(
    folder: &RunFolder,
    files: &BTreeMap<String, String>,
    terminal: &Terminal,
) -> Result<(), StateError> {
    for name in folder.restore(files)? {
        terminal.note(&format!(
            "{} is not as the run left it, and is written again",
            folder.path().join(name).display()
        ));
    }
    Ok(())
}

/// What a network makes of the probe images, as maps that steps are compared with.
pub(super) fn references(
    network: &ObservedNetwork<'_>,
    probes: &ProbeImages,
    as_what: Against,
) -> Vec<ReferenceMaps> {
    let of_probes = network.probes.each();
    let of_probes = of_probes.map(|(image, layer, maps)| (probes.tag(image, layer), maps));
    let reference = |(tag, maps)| ReferenceMaps { tag, maps, as_what };
    of_probes.map(reference).collect()
}

fn toml_text(about: &str, values: &impl Serialize) -> Result<String, RunError> {
    Ok(format!("# {about}\n{}", toml::to_string(values)?))
}

/// Draws and sums up what is known only after the last step, if there was one. What ended the run early stands
/// before what goes wrong here.
pub(super) fn finish(
    observers: Option<Observers>,
    logger: &mut FeatureLogger,
    last: Option<i64>,
    ended: Result<(), RunError>,
) -> (Summary, Result<(), RunError>) {
    let (Some(observers), Some(last)) = (observers, last) else {
        return (Summary::default(), ended);
    };
    match observers.finish(logger, last) {
        Ok(summary) => (summary, ended),
        Err(error) => (Summary::default(), ended.and(Err(error.into()))),
    }
}
