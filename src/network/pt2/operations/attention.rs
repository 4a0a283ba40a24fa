//! Scaled dot-product attention.

use burn::backend::Dispatch;
use burn::backend::ops::{ActivationOps, FloatTensorOps};

use super::Table;
use super::arithmetic::together;
use super::convolution::product;
use crate::network::pt2::value::{Call, Result, Value, refused, sizes};

pub(super) const TABLE: Table = &[("aten.scaled_dot_product_attention", attention)];

/// `softmax(query · keyᵀ · scale + mask) · value`, over any axes in front.
///
/// Source: the documentation of `torch.nn.functional.scaled_dot_product_attention`.
fn attention(call: &mut Call) -> Result<Value> {
    let (query, key) = (call.subject()?, call.tensor("key")?);
    let value = call.tensor("value")?;
    if call.bool("is_causal", false)? || call.bool("enable_gqa", false)? {
        return refused("causal and grouped attention are not known");
    }
    let own = sizes(&query);
    let [.., _, features] = own[..] else {
        return refused("its query has no axes");
    };
    let scale = call.float("scale", 1.0 / (features as f64).sqrt())?;
    if sizes(&key).len() < 2 || sizes(&value).len() < 2 {
        return refused("its key or value has no axes");
    }
    let query = Dispatch::float_mul_scalar(query, scale.into());
    let mut scores = product(query, Dispatch::float_transpose(key), call.most)?;
    if let Some(mask) = call.optional_tensor("attn_mask")? {
        let (all, mask) = together(scores, mask, call.most)?;
        scores = Dispatch::float_add(all, mask);
    }
    let weights = Dispatch::softmax(scores, own.len() - 1);
    Ok(Value::Tensor(product(weights, value, call.most)?))
}
