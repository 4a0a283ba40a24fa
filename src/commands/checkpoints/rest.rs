//! The weights that a sweep does not load, of layers that are not shown: the first checkpoint's next to the last one's.

use std::collections::BTreeMap;
use std::path::Path;

use super::setup::CheckpointRun;
use crate::analysis::change::{Change, Summary};
use crate::commands::error::RunError;
use crate::commands::remedy::explain;
use crate::device::PairSums;
use crate::network::Layer;
use crate::weights::Entry;

impl CheckpointRun<'_> {
    /// Adds them to the summary; nothing of files that are gone or damaged by now.
    pub(super) fn add_rest(&self, summary: &mut Summary, first: &Path, last: &Path) {
        match self.rest(first, last, summary) {
            Ok(rest) => summary.add_rest(rest),
            Err(error) => self.terminal().note(&format!(
                "the summary is of the layers shown only: {}",
                explain(&*error)
            )),
        }
    }

    /// How the weights of convolutions and linear layers changed that `summary` does not follow: read piece by piece,
    /// once a run, since a sweep else never reads them.
    fn rest(
        &self,
        first: &Path,
        last: &Path,
        summary: &Summary,
    ) -> Result<BTreeMap<String, Change>, RunError> {
        let key = self.settings.run.network.weights_key.as_deref();
        let [first, last] = [first, last].map(|path| self.network.model.weights(path, key));
        let (first, last) = (first?, last?);
        let layers = self.context.pass.architecture.all_layers();
        let tag = |stem: &str| {
            let layer = layers.iter().find(|layer| layer.torch_name() == stem);
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
}
