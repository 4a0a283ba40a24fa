//! Normalizations, with the statistics of a training or with their own.

use burn::backend::Dispatch;
use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::tensor::{DType, FloatDType};

use super::Table;
use super::arithmetic::like;
use crate::device::batch_norm;
use crate::network::pt2::value::{Call, Floats, Result, Value, refused, shape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.batch_norm", of_running_statistics),
    (
        "aten._native_batch_norm_legit_no_training",
        of_running_statistics,
    ),
    ("aten.layer_norm", layer_norm),
    ("aten.group_norm", group_norm),
    ("aten.instance_norm", instance_norm),
];

/// The running statistics are float32, and so is the arithmetic, whatever the maps are.
fn of_running_statistics(call: &mut Call) -> Result<Value> {
    let x = call.tensor("input")?;
    let is_training = call.bool("training", false)?;
    let Some(mean) = call.optional_tensor("running_mean")? else {
        return of_batch_statistics(call, &x);
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
    let single = Dispatch::float_cast(x, FloatDType::F32);
    let maps = batch_norm(single, weight, bias, mean, variance, epsilon);
    Ok(Value::Tensor(back(maps, given)))
}

/// By the mean and variance of each channel, as networks standardize their kernels.
fn of_batch_statistics(call: &mut Call, x: &Floats) -> Result<Value> {
    let own = sizes(x);
    let [batch, channels, ref rest @ ..] = own[..] else {
        return refused(format!("it is given {own:?}, expected channels"));
    };
    let count = batch * rest.iter().product::<usize>();
    let by_channel = Dispatch::float_swap_dims(x.clone(), 0, 1);
    let rows = Dispatch::float_reshape(by_channel, shape(&[channels, count]));
    let rows = Dispatch::layer_norm(rows, ones(count, x), None, call.float("eps", 1e-5)?);
    let swapped = [&[channels, batch], rest].concat();
    let maps = Dispatch::float_swap_dims(Dispatch::float_reshape(rows, shape(&swapped)), 0, 1);
    Ok(Value::Tensor(scaled(call, maps)?))
}

fn ones(count: usize, like: &Floats) -> Floats {
    let ones = Dispatch::float_ones(shape(&[count]), &like.device(), FloatDType::F32);
    self::like(ones, like)
}

/// Times the weight of each channel, plus its bias, where there are any.
fn scaled(call: &mut Call, mut maps: Floats) -> Result<Floats> {
    let mut along = vec![1; sizes(&maps).len()];
    along[1] = sizes(&maps)[1];
    if let Some(weight) = call.optional_tensor("weight")? {
        let weight = Dispatch::float_reshape(like(weight, &maps), shape(&along));
        maps = Dispatch::float_mul(maps, weight);
    }
    if let Some(bias) = call.optional_tensor("bias")? {
        let bias = Dispatch::float_reshape(like(bias, &maps), shape(&along));
        maps = Dispatch::float_add(maps, bias);
    }
    Ok(maps)
}

fn back(maps: Floats, dtype: DType) -> Floats {
    match dtype {
        DType::F16 => Dispatch::float_cast(maps, FloatDType::F16),
        DType::BF16 => Dispatch::float_cast(maps, FloatDType::BF16),
        _ => maps,
    }
}

/// Over the last axes, as many as `normalized_shape` has.
fn layer_norm(call: &mut Call) -> Result<Value> {
    let x = call.tensor("input")?;
    let all = sizes(&x);
    let axes = call.ints("normalized_shape")?.unwrap_or_default().len();
    if axes == 0 || axes > all.len() {
        return refused("its normalized shape is longer than its input's");
    }
    let count: usize = all[all.len() - axes..].iter().product();
    let rows = all[..all.len() - axes].iter().product();
    let flat = |tensor: Floats| Dispatch::float_reshape(like(tensor, &x), shape(&[count]));
    let weight = call.optional_tensor("weight")?.map(flat);
    let bias = call.optional_tensor("bias")?.map(flat);
    let weight = weight.unwrap_or_else(|| ones(count, &x));
    let rows = Dispatch::float_reshape(x, shape(&[rows, count]));
    let normalized = Dispatch::layer_norm(rows, weight, bias, call.float("eps", 1e-5)?);
    Ok(Value::Tensor(Dispatch::float_reshape(
        normalized,
        shape(&all),
    )))
}

fn group_norm(call: &mut Call) -> Result<Value> {
    let groups = call.needed_int("num_groups")?;
    let Ok(groups) = usize::try_from(groups) else {
        return refused(format!("it has {groups} groups"));
    };
    in_groups(call, Some(groups))
}

fn instance_norm(call: &mut Call) -> Result<Value> {
    if !call.bool("use_input_stats", true)? {
        return of_running_statistics(call);
    }
    in_groups(call, None)
}

/// Each group of the channels of an image has its own mean and variance; without `groups` each channel.
fn in_groups(call: &mut Call, groups: Option<usize>) -> Result<Value> {
    let x = call.tensor("input")?;
    let all = sizes(&x);
    let [batch, channels, ..] = all[..] else {
        return refused(format!("it is given {all:?}, expected channels"));
    };
    let groups = groups.unwrap_or(channels);
    if groups == 0 || channels % groups != 0 {
        return refused(format!("{channels} channels are not {groups} groups"));
    }
    let count = all.iter().product::<usize>() / (batch * groups).max(1);
    let flat = Dispatch::float_reshape(x.clone(), shape(&[batch * groups, count]));
    let rows = Dispatch::layer_norm(flat, ones(count, &x), None, call.float("eps", 1e-5)?);
    let maps = Dispatch::float_reshape(rows, shape(&all));
    Ok(Value::Tensor(scaled(call, maps)?))
}
