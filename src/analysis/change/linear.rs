//! The weights of linear layers, which are many: they are compared with those of the first step only, where they are.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::found::Change;
use crate::analysis::{AnalysisError, asking};
use crate::device::{BackendError, PairSums, all_values, floats, is_asynchronous};
use crate::network::Parameters;

/// The weights of the first step, by layer: shared with the network, which copies them once it learns.
#[derive(Default)]
pub(super) struct FirstLinears(BTreeMap<String, Tensor<2>>);

impl FirstLinears {
    /// How much weights differ from those of the first step, where these are known.
    pub(super) fn compare(
        &self,
        parameters: &Parameters,
    ) -> Result<BTreeMap<String, Change>, AnalysisError> {
        let now = parameters.linears();
        let pairs = now.filter_map(|(name, now)| Some((name, self.0.get(name)?.clone(), now)));
        let change = |(name, old, new): (&str, Tensor<2>, Tensor<2>)| {
            let sums = asking(name, || sums(old, new))?;
            Ok((name.to_owned(), Change::from(&sums)))
        };
        pairs.map(change).collect()
    }

    pub(super) fn set(&mut self, parameters: &Parameters) {
        let named = parameters.linears();
        self.0 = named
            .map(|(name, weights)| (name.to_owned(), weights))
            .collect();
    }
}

fn sums(old: Tensor<2>, new: Tensor<2>) -> Result<PairSums, BackendError> {
    if is_asynchronous(&new.device()) {
        let sums = PairSums::over_rows(old, new).sum_dim(0).flatten(0, 1);
        let sums = all_values(vec![sums])?.concat();
        return Ok(PairSums::read(&sums).sum());
    }
    Ok(PairSums::of_floats(&*floats(old)?, &*floats(new)?)?)
}
