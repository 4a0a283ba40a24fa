//! Upsampling, padding, and what moves values between channels and pixels.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, InterpolateMode, InterpolateOptions, ModuleOps, PadMode};

use super::Table;
use super::parts::part;
use crate::network::pt2::value::{Call, Floats, Result, Value, axes, axis_of, refused, reshape};

pub(super) const TABLE: Table = &[
    ("aten.upsample_nearest2d", |call| {
        resampled(call, InterpolateMode::Nearest)
    }),
    ("aten.upsample_bilinear2d", |call| {
        resampled(call, InterpolateMode::Bilinear)
    }),
    ("aten.upsample_bicubic2d", |call| {
        resampled(call, InterpolateMode::Bicubic)
    }),
    ("aten.pad", pad),
    ("aten.constant_pad_nd", |call| padded(call, "constant")),
    ("aten.reflection_pad2d", |call| padded(call, "reflect")),
    ("aten.replication_pad2d", |call| padded(call, "replicate")),
    ("aten.pixel_shuffle", pixel_shuffle),
    ("aten.pixel_unshuffle", pixel_unshuffle),
    ("aten.channel_shuffle", channel_shuffle),
    ("aten.roll", roll),
    ("aten.flip", flip),
];

/// To a size, or by factors.
fn resampled(call: &mut Call, mode: InterpolateMode) -> Result<Value> {
    let x = call.subject()?;
    let [batch, channels, height, width] = axes(&x)?;
    let factors = match call.take("scale_factors") {
        Some(Value::List(all)) => all.iter().filter_map(Value::float).collect(),
        _ => Vec::new(),
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes, as PyTorch rounds them"
    )]
    let by = |size: usize, factor: f64| (size as f64 * factor).floor() as usize;
    let size = match (call.pair("output_size")?, &factors[..]) {
        (Some(size), _) => size,
        (None, [down, across]) => [by(height, *down), by(width, *across)],
        (None, _) => return refused("it says neither a size nor factors"),
    };
    if [height, width, size[0], size[1]].contains(&0) {
        return refused(format!("it makes {size:?} pixels of {height} x {width}"));
    }
    call.most.check(&[batch, channels, size[0], size[1]])?;
    let options =
        InterpolateOptions::new(mode).with_align_corners(call.bool("align_corners", false)?);
    Ok(Value::Tensor(Dispatch::interpolate(x, size, options)))
}

fn pad(call: &mut Call) -> Result<Value> {
    let mode = call.text("mode").unwrap_or_else(|| "constant".to_owned());
    padded(call, &mode)
}

/// Before and behind the last axis, then the one before it, and so on. What is below 0 is cut off.
fn padded(call: &mut Call, mode: &str) -> Result<Value> {
    let (mut x, own) = call.sized()?;
    let value = call.float("value", 0.0)?;
    let given = match call.ints("pad")? {
        Some(given) => given,
        None => call.ints("padding")?.unwrap_or_default(),
    };
    if given.len() % 2 != 0 || given.len() > 2 * own.len() {
        return refused(format!("it pads by {given:?}"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "0 to 1 in every network that pads"
    )]
    let mode = match mode {
        "constant" => PadMode::Constant(value as f32),
        "reflect" => PadMode::Reflect,
        "replicate" => PadMode::Edge,
        other => return refused(format!("padding by {other:?} is not known")),
    };
    let mut around = vec![(0, 0); own.len()];
    let mut padded = own.clone();
    let unsigned = |size: i64| usize::try_from(size).unwrap_or(0);
    for (pair, axis) in given.chunks(2).zip((0..own.len()).rev()) {
        let [cut, off] = [0, 1].map(|side| unsigned(pair[side].saturating_neg()));
        let Some(kept) = own[axis].checked_sub(cut.saturating_add(off)) else {
            return refused(format!("it cuts off {cut} and {off} of {}", own[axis]));
        };
        let [before, behind] = [0, 1].map(|side| unsigned(pair[side]));
        let is_inside = match mode {
            PadMode::Reflect => before.max(behind) < kept.max(1),
            _ => kept > 0 || before + behind == 0,
        };
        if !is_inside {
            return refused(format!("it pads {own:?} by {given:?}"));
        }
        if cut + off > 0 {
            x = part(x, axis, cut..cut + kept, 1);
        }
        around[axis] = (before, behind);
        padded[axis] = kept.saturating_add(before).saturating_add(behind);
    }
    call.most.check(&padded)?;
    Ok(Value::Tensor(Dispatch::float_pad(x, &around, mode)))
}

/// Largest factor of a size.
const MOST: usize = 1 << 16;

fn factor(call: &mut Call, name: &str) -> Result<usize> {
    match call.count(name, None)? {
        factor if factor <= MOST => Ok(factor),
        _ => refused(format!("`{name}` is more than {MOST}")),
    }
}

fn rearranged(x: Floats, apart: &[usize], order: &[usize], together: &[usize]) -> Value {
    let x = Dispatch::float_permute(reshape(x, apart), order);
    Value::Tensor(reshape(x, together))
}

fn pixel_shuffle(call: &mut Call) -> Result<Value> {
    let x = call.subject()?;
    let by = factor(call, "upscale_factor")?;
    let [batch, channels, height, width] = axes(&x)?;
    if channels % (by * by) != 0 {
        return refused(format!("{channels} channels are not {by} x {by} parts"));
    }
    let out = channels / (by * by);
    let apart = [batch, out, by, by, height, width];
    let together = [batch, out, height * by, width * by];
    Ok(rearranged(x, &apart, &[0, 1, 4, 2, 5, 3], &together))
}

fn pixel_unshuffle(call: &mut Call) -> Result<Value> {
    let x = call.subject()?;
    let by = factor(call, "downscale_factor")?;
    let [batch, channels, height, width] = axes(&x)?;
    if height % by != 0 || width % by != 0 {
        return refused(format!(
            "{height} x {width} pixels are not {by} x {by} parts"
        ));
    }
    let (down, across) = (height / by, width / by);
    let apart = [batch, channels, down, by, across, by];
    let together = [batch, channels * by * by, down, across];
    Ok(rearranged(x, &apart, &[0, 1, 3, 5, 2, 4], &together))
}

fn channel_shuffle(call: &mut Call) -> Result<Value> {
    let x = call.subject()?;
    let groups = factor(call, "groups")?;
    let [batch, channels, height, width] = axes(&x)?;
    if channels % groups != 0 {
        return refused(format!("{channels} channels are not {groups} groups"));
    }
    let apart = [batch, groups, channels / groups, height, width];
    let together = [batch, channels, height, width];
    Ok(rearranged(x, &apart, &[0, 2, 1, 3, 4], &together))
}

fn flip(call: &mut Call) -> Result<Value> {
    let (x, own) = call.sized()?;
    let axes = call.axes("dims", own.len())?.unwrap_or_default();
    Ok(Value::Tensor(Dispatch::float_flip(x, &axes)))
}

/// What moves out at one end comes in at the other.
fn roll(call: &mut Call) -> Result<Value> {
    let (mut x, own) = call.sized()?;
    let shifts = call.ints("shifts")?.unwrap_or_default();
    let along = call.ints("dims")?.unwrap_or_default();
    if along.len() != shifts.len() {
        return refused("rolling without axes is not known");
    }
    for (shift, dim) in shifts.into_iter().zip(along) {
        let axis = axis_of(dim, own.len())?;
        let size = own.get(axis).copied().unwrap_or(1);
        let count = i64::try_from(size).unwrap_or(i64::MAX).max(1);
        let first = usize::try_from(shift.saturating_neg().rem_euclid(count)).unwrap_or_default();
        if first > 0 {
            let (front, rest) = (0..first, first..size);
            let parts = [rest, front].map(|range| part(x.clone(), axis, range, 1));
            x = Dispatch::float_cat(parts.into(), axis);
        }
    }
    Ok(Value::Tensor(x))
}
