//! The weights that a sweep does not load, of layers that are not shown: the first checkpoint's next to the last one's.

use std::collections::BTreeMap;
use std::path::Path;

use super::setup::CheckpointRun;
use crate::analysis::change::{Change, Summary};
use crate::commands::error::RunError;
use crate::commands::remedy::explain;
use crate::device::PairSums;
use crate::network::{Architecture, Layer};
use crate::settings::NetworkSettings;
use crate::weights::{Entry, WeightsFile};

impl CheckpointRun<'_> {
    /// Adds them to the summary; nothing of files that are gone or damaged by now.
    pub(super) fn add_rest(&self, summary: &mut Summary, first: &Path, last: &Path) {
        let (arch, network) = (&*self.context.pass.architecture, &self.settings.run.network);
        match rest(first, last, arch, network, summary) {
            Ok(rest) => summary.add_rest(rest),
            Err(error) => self.terminal().note(&format!(
                "the summary is of the layers shown only: {}",
                explain(&*error)
            )),
        }
    }
}

/// How the weights of convolutions and linear layers changed that `summary` does not follow: read piece by piece, once a
/// run, since a sweep else never reads them.
fn rest(
    first: &Path,
    last: &Path,
    arch: &dyn Architecture,
    settings: &NetworkSettings,
    summary: &Summary,
) -> Result<BTreeMap<String, Change>, RunError> {
    let open = |path: &Path| WeightsFile::open_under(path, settings.weights_key.as_deref());
    let (first, last) = (open(first)?, open(last)?);
    let layers = arch.all_layers();
    let tag = |stem: &str| {
        let index = stem.strip_prefix("features.");
        let layer = index.and_then(|index| layers.get(index.parse::<usize>().ok()?));
        layer.map_or_else(|| stem.to_owned(), Layer::tag)
    };
    let mut rest = BTreeMap::new();
    for entry in first.entries() {
        let Some(stem) = entry.name().strip_suffix(".weight") else {
            continue;
        };
        let other = last.get(entry.name()).map(Entry::shape);
        let is_layer = [2, 4].contains(&entry.shape().len()) && other == Some(entry.shape());
        let tag = tag(stem);
        if !is_layer || summary.follows(&tag) {
            continue;
        }
        let mut sums = PairSums::default();
        first.read_beside(&last, entry.name(), |old, new| {
            sums = sums.merged(PairSums::over(old, new));
        })?;
        rest.insert(tag, Change::from(&sums));
    }
    Ok(rest)
}
