//! Scaled dot-product attention.

use burn::backend::Dispatch;
use burn::backend::ops::{ActivationOps, FloatTensorOps};

use super::Table;
use super::arithmetic::aligned;
use crate::network::pt2::value::{Call, Result, Value, refused, sizes};

pub(super) const TABLE: Table = &[("aten.scaled_dot_product_attention", attention)];

/// `softmax(query · keyᵀ · scale + mask) · value`, over any axes in front.
///
/// Source: the documentation of `torch.nn.functional.scaled_dot_product_attention`.
fn attention(call: &mut Call) -> Result<Value> {
    let (query, key) = (call.tensor("query")?, call.tensor("key")?);
    let value = call.tensor("value")?;
    if call.bool("is_causal", false)? || call.bool("enable_gqa", false)? {
        return refused("causal and grouped attention are not known");
    }
    let own = sizes(&query);
    let [.., features] = own[..] else {
        return refused("its query has no axes");
    };
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    let scale = call.float("scale", 1.0 / (features as f64).sqrt())?;
    let query = Dispatch::float_mul_scalar(query, scale.into());
    let mut scores = Dispatch::float_matmul(query, Dispatch::float_transpose(key));
    if let Some(mask) = call.optional_tensor("attn_mask")? {
        let (all, mask) = aligned(scores, mask);
        scores = Dispatch::float_add(all, mask);
    }
    let weights = Dispatch::softmax(scores, own.len() - 1);
    Ok(Value::Tensor(Dispatch::float_matmul(weights, value)))
}
