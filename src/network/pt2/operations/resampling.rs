//! Upsampling, padding, and what moves values between channels and pixels.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, InterpolateMode, InterpolateOptions, ModuleOps, PadMode};

use super::Table;
use crate::network::pt2::value::{Call, Floats, Result, Value, axis_of, refused, shape, sizes};

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

/// `[batch, channels, height, width]`
fn images(x: &Floats) -> Result<[usize; 4]> {
    let own = sizes(x);
    match own[..] {
        [batch, channels, height, width] => Ok([batch, channels, height, width]),
        _ => refused(format!(
            "it is given {own:?}, expected [batch, channels, height, width]"
        )),
    }
}

/// To a size, or by factors.
fn resampled(call: &mut Call, mode: InterpolateMode) -> Result<Value> {
    let Some(Value::Tensor(x)) = call.first() else {
        return refused("it is given no tensor of floats");
    };
    let [batch, channels, height, width] = images(&x)?;
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
    let x = call.tensor("self")?;
    let (own, value) = (sizes(&x), call.float("value", 0.0)?);
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
    let mut kept: Vec<_> = own.iter().map(|size| 0..*size).collect();
    for (pair, axis) in given.chunks(2).zip((0..own.len()).rev()) {
        let [before, behind] = [0, 1].map(|side| usize::try_from(pair[side]).unwrap_or(0));
        around[axis] = (before, behind);
        let [cut, off] =
            [0, 1].map(|side| usize::try_from(pair[side].saturating_neg()).unwrap_or(0));
        if cut.saturating_add(off) > own[axis] {
            return refused(format!("it cuts off {cut} and {off} of {}", own[axis]));
        }
        kept[axis] = cut..own[axis] - off;
    }
    let sizes = kept.iter().zip(&around);
    let sizes = sizes
        .map(|(kept, (before, behind))| kept.len().saturating_add(*before).saturating_add(*behind));
    call.most.check(&sizes.collect::<Vec<_>>())?;
    let is_inside =
        |(kept, (before, behind)): (&std::ops::Range<usize>, &(usize, usize))| match mode {
            PadMode::Reflect => *before.max(behind) < kept.len().max(1),
            _ => !kept.is_empty() || (*before, *behind) == (0, 0),
        };
    if !kept.iter().zip(&around).all(is_inside) {
        return refused(format!("it pads {own:?} by {given:?}"));
    }
    let slices: Vec<_> = kept.into_iter().map(Into::into).collect();
    let x = if given.iter().any(|size| *size < 0) {
        Dispatch::float_slice(x, &slices)
    } else {
        x
    };
    Ok(Value::Tensor(Dispatch::float_pad(x, &around, mode)))
}

fn factor(call: &mut Call, name: &str) -> Result<usize> {
    match usize::try_from(call.needed_int(name)?) {
        Ok(factor) if (1..=1 << 16).contains(&factor) => Ok(factor),
        _ => refused(format!("`{name}` is not 1 to 65536")),
    }
}

fn rearranged(x: Floats, apart: &[usize], order: &[usize], together: &[usize]) -> Value {
    let x = Dispatch::float_reshape(x, shape(apart));
    let x = Dispatch::float_permute(x, order);
    Value::Tensor(Dispatch::float_reshape(x, shape(together)))
}

fn pixel_shuffle(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let by = factor(call, "upscale_factor")?;
    let [batch, channels, height, width] = images(&x)?;
    if channels % (by * by) != 0 {
        return refused(format!("{channels} channels are not {by} x {by} parts"));
    }
    let out = channels / (by * by);
    let apart = [batch, out, by, by, height, width];
    let together = [batch, out, height * by, width * by];
    Ok(rearranged(x, &apart, &[0, 1, 4, 2, 5, 3], &together))
}

fn pixel_unshuffle(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let by = factor(call, "downscale_factor")?;
    let [batch, channels, height, width] = images(&x)?;
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
    let x = call.tensor("self")?;
    let groups = factor(call, "groups")?;
    let [batch, channels, height, width] = images(&x)?;
    if channels % groups != 0 {
        return refused(format!("{channels} channels are not {groups} groups"));
    }
    let apart = [batch, groups, channels / groups, height, width];
    let together = [batch, channels, height, width];
    Ok(rearranged(x, &apart, &[0, 2, 1, 3, 4], &together))
}

/// What moves out at one end comes in at the other.
fn flip(call: &mut Call) -> Result<Value> {
    let x = call.tensor("self")?;
    let rank = sizes(&x).len();
    let axes = call.ints("dims")?.unwrap_or_default().into_iter();
    let axes: Vec<usize> = axes
        .map(|axis| axis_of(axis, rank))
        .collect::<Result<_>>()?;
    Ok(Value::Tensor(Dispatch::float_flip(x, &axes)))
}

fn roll(call: &mut Call) -> Result<Value> {
    let mut x = call.tensor("self")?;
    let own = sizes(&x);
    let shifts = call.ints("shifts")?.unwrap_or_default();
    let along = call.ints("dims")?.unwrap_or_default();
    if along.len() != shifts.len() {
        return refused("rolling without axes is not known");
    }
    for (shift, dim) in shifts.into_iter().zip(along) {
        let axis = axis_of(dim, own.len())?;
        let size = i64::try_from(own[axis]).unwrap_or(i64::MAX);
        let first =
            usize::try_from(shift.saturating_neg().rem_euclid(size.max(1))).unwrap_or_default();
        if first == 0 {
            continue;
        }
        let part = |range: std::ops::Range<usize>| {
            let slices = own.iter().enumerate();
            let slices = slices.map(|(at, size)| {
                if at == axis {
                    range.clone().into()
                } else {
                    (0..*size).into()
                }
            });
            Dispatch::float_slice(x.clone(), &slices.collect::<Vec<_>>())
        };
        x = Dispatch::float_cat(vec![part(first..own[axis]), part(0..first)], axis);
    }
    Ok(Value::Tensor(x))
}
