//! Normalizations, with the statistics of a training or with their own.

use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{DType, FloatDType};

use super::Table;
use super::arithmetic::{cast, like};
use crate::device::batch_norm;
use crate::network::pt2::value::{Call, Floats, Result, Value, refused, reshape, shape, sizes};

pub(super) const TABLE: Table = &[
    (
        "aten.batch_norm aten._native_batch_norm_legit_no_training",
        of_running_statistics,
    ),
    ("aten.layer_norm", layer_norm),
    ("aten.group_norm", |call| {
        let groups = call.count("num_groups", None)?;
        in_groups(call, Some(groups))
    }),
    ("aten.instance_norm", |call| {
        if call.bool("use_input_stats", true)? {
            in_groups(call, None)
        } else {
            of_running_statistics(call)
        }
    }),
];

/// The running statistics are float32, and so is the arithmetic, whatever the maps are.
fn of_running_statistics(call: &mut Call) -> Result<Value> {
    let x = call.subject()?;
    let is_training = call.bool("training", false)?;
    let Some(mean) = call.optional_tensor("running_mean")? else {
        return of_batch_statistics(call, x);
    };
    if is_training {
        return refused("it takes the statistics of the batch: export the network after .eval()");
    }
    let variance = call.tensor("running_var")?;
    let ones = || Dispatch::float_ones(mean.shape(), &mean.device(), FloatDType::F32);
    let zeros = || Dispatch::float_zeros(mean.shape(), &mean.device(), FloatDType::F32);
    let weight = call.optional_tensor("weight")?.unwrap_or_else(ones);
    let bias = call.optional_tensor("bias")?.unwrap_or_else(zeros);
    let epsilon = call.float("eps", 1e-5)?;
    let given = x.dtype();
    let maps = batch_norm(cast(x, DType::F32), weight, bias, mean, variance, epsilon);
    Ok(Value::Tensor(cast(maps, given)))
}

/// By the mean and variance of each channel, as networks standardize their kernels.
fn of_batch_statistics(call: &mut Call, x: Floats) -> Result<Value> {
    let own = sizes(&x);
    let [batch, channels, ref rest @ ..] = own[..] else {
        return refused(format!("it is given {own:?}, expected channels"));
    };
    let swapped = [&[channels, batch], rest].concat();
    let rows = standardized(call, Dispatch::float_swap_dims(x, 0, 1), channels)?;
    let maps = Dispatch::float_swap_dims(reshape(rows, &swapped), 0, 1);
    scaled(call, maps)
}

/// A value in so many rows, each with a mean of 0 and a variance of 1.
fn standardized(call: &mut Call, x: Floats, rows: usize) -> Result<Floats> {
    let count = sizes(&x).iter().product::<usize>() / rows.max(1);
    let (ones, epsilon) = (ones(count, &x), call.float("eps", 1e-5)?);
    let rows = reshape(x, &[rows, count]);
    Ok(Dispatch::layer_norm(rows, ones, None, epsilon))
}

fn ones(count: usize, other: &Floats) -> Floats {
    let ones = Dispatch::float_ones(shape(&[count]), &other.device(), FloatDType::F32);
    like(ones, other)
}

/// Times the weight of each channel, plus its bias, where there are any.
fn scaled(call: &mut Call, mut maps: Floats) -> Result<Value> {
    let mut along = vec![1; sizes(&maps).len()];
    along[1] = sizes(&maps)[1];
    if let Some(weight) = call.optional_tensor("weight")? {
        let weight = reshape(like(weight, &maps), &along);
        maps = Dispatch::float_mul(maps, weight);
    }
    if let Some(bias) = call.optional_tensor("bias")? {
        let bias = reshape(like(bias, &maps), &along);
        maps = Dispatch::float_add(maps, bias);
    }
    Ok(Value::Tensor(maps))
}

/// Over the last axes, as many as `normalized_shape` has.
fn layer_norm(call: &mut Call) -> Result<Value> {
    let (x, all) = call.sized()?;
    let axes = call.needed_ints("normalized_shape")?.len();
    if axes == 0 || axes > all.len() {
        return refused("its normalized shape is longer than its input's");
    }
    let count: usize = all[all.len() - axes..].iter().product();
    let rows = all[..all.len() - axes].iter().product();
    let flat = |tensor: Floats| reshape(like(tensor, &x), &[count]);
    let weight = call.optional_tensor("weight")?.map(flat);
    let bias = call.optional_tensor("bias")?.map(flat);
    let weight = weight.unwrap_or_else(|| ones(count, &x));
    let rows = reshape(x, &[rows, count]);
    let normalized = Dispatch::layer_norm(rows, weight, bias, call.float("eps", 1e-5)?);
    Ok(Value::Tensor(reshape(normalized, &all)))
}

/// Each group of the channels of an image has its own mean and variance; without `groups` each channel.
fn in_groups(call: &mut Call, groups: Option<usize>) -> Result<Value> {
    let (x, all) = call.sized()?;
    let [batch, channels, ..] = all[..] else {
        return refused(format!("it is given {all:?}, expected channels"));
    };
    let groups = groups.unwrap_or(channels);
    if groups == 0 || channels % groups != 0 {
        return refused(format!("{channels} channels are not {groups} groups"));
    }
    let rows = standardized(call, x, batch * groups)?;
    scaled(call, reshape(rows, &all))
}
