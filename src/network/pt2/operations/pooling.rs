//! Pooling. What has one axis is an image that is one pixel high.

use burn::backend::Dispatch;
use burn::backend::ops::ModuleOps;

use super::Table;
use crate::network::pt2::value::{Call, Floats, Result, Value, axes, refused, reshape, sizes};

pub(super) const TABLE: Table = &[
    ("aten.max_pool2d", |call| max_pool(call, 2)),
    ("aten.max_pool1d", |call| max_pool(call, 1)),
    ("aten.avg_pool2d", |call| avg_pool(call, 2)),
    ("aten.avg_pool1d", |call| avg_pool(call, 1)),
    (
        "aten.adaptive_avg_pool2d aten._adaptive_avg_pool2d",
        |call| adaptive_avg(call, 2),
    ),
    ("aten.adaptive_avg_pool1d", |call| adaptive_avg(call, 1)),
    ("aten.adaptive_max_pool2d", adaptive_max),
];

/// Images, those of one axis one pixel high.
pub(super) fn images(x: Floats, of_axes: usize) -> Result<Floats> {
    if of_axes == 2 {
        return axes::<4>(&x).map(|_| x);
    }
    let [batch, channels, width] = axes(&x)?;
    Ok(reshape(x, &[batch, channels, 1, width]))
}

/// The result for images, without the axis that [`images`] put in.
fn pooled(x: Floats, axes: usize) -> Value {
    let own = sizes(&x);
    Value::Tensor(match axes {
        1 => reshape(x, &[own[0], own[1], own[3]]),
        _ => x,
    })
}

/// What max and average pooling have in common; the stride is the window where it is left out.
struct Window {
    size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    rounds_up: bool,
}

impl Window {
    /// One that fits into images; at most half of it is padding.
    fn of(call: &mut Call, x: &Floats, axes: usize) -> Result<Self> {
        let Some(size) = call.pair("kernel_size")? else {
            return refused("it lacks its argument `kernel_size`");
        };
        let mut window = Self {
            size,
            stride: call.pair("stride")?.unwrap_or(size),
            padding: call.pair("padding")?.unwrap_or([0; 2]),
            dilation: call.pair("dilation")?.unwrap_or([1; 2]),
            rounds_up: call.bool("ceil_mode", false)?,
        };
        if axes == 1 {
            (window.size[0], window.stride[0], window.padding[0]) = (1, 1, 0);
        }
        for (axis, size) in sizes(x)[2..].iter().enumerate() {
            let (reach, padding) = (window.size[axis], window.padding[axis]);
            if padding > reach / 2 {
                return refused(format!("it pads a window of {reach} by {padding}"));
            }
            let padded = size.saturating_add(2 * padding);
            places(padded, reach, window.stride[axis], window.dilation[axis])?;
        }
        Ok(window)
    }
}

/// How many places a window has along an axis, which is padded already.
pub(super) fn places(size: usize, window: usize, stride: usize, dilation: usize) -> Result<usize> {
    let reach = window
        .checked_sub(1)
        .and_then(|more| more.checked_mul(dilation));
    let moved = reach.filter(|_| dilation > 0);
    let moved = moved.and_then(|reach| size.checked_sub(reach.checked_add(1)?));
    match moved.and_then(|moved| moved.checked_div(stride)) {
        Some(steps) => Ok(steps + 1),
        None => refused(format!(
            "a window of {window}, {stride} apart, dilated by {dilation}, does not fit into {size}"
        )),
    }
}

fn max_pool(call: &mut Call, axes: usize) -> Result<Value> {
    let x = images(call.subject()?, axes)?;
    let by = Window::of(call, &x, axes)?;
    let (stride, padding) = (by.stride, by.padding);
    let x = Dispatch::max_pool2d(x, by.size, stride, padding, by.dilation, by.rounds_up);
    Ok(pooled(x, axes))
}

fn avg_pool(call: &mut Call, axes: usize) -> Result<Value> {
    let x = images(call.subject()?, axes)?;
    let by = Window::of(call, &x, axes)?;
    let counts_padding = call.bool("count_include_pad", true)?;
    if call.take("divisor_override").is_some() {
        return refused("a divisor of its own is not known");
    }
    let (stride, padding) = (by.stride, by.padding);
    let x = Dispatch::avg_pool2d(x, by.size, stride, padding, counts_padding, by.rounds_up);
    Ok(pooled(x, axes))
}

/// The size that is asked for.
fn output(call: &mut Call, x: &Floats) -> Result<[usize; 2]> {
    match call.pair("output_size")? {
        Some(size) if !size.contains(&0) => {
            call.most.check(&[&sizes(x)[..2], &size[..]].concat())?;
            Ok(size)
        }
        Some(size) => refused(format!("it makes {size:?}")),
        None => refused("it lacks its argument `output_size`"),
    }
}

fn adaptive_avg(call: &mut Call, axes: usize) -> Result<Value> {
    let x = images(call.subject()?, axes)?;
    let mut size = output(call, &x)?;
    if axes == 1 {
        size[0] = 1;
    }
    Ok(pooled(Dispatch::adaptive_avg_pool2d(x, size), axes))
}

/// Windows of one size, where the input is a multiple of the output, or the largest of all.
fn adaptive_max(call: &mut Call) -> Result<Value> {
    let x = images(call.subject()?, 2)?;
    let (own, size) = (sizes(&x), output(call, &x)?);
    if own[2] % size[0] != 0 || own[3] % size[1] != 0 {
        return refused(format!(
            "of {} x {} pixels it makes {} x {}, of windows that are not of one size",
            own[2], own[3], size[0], size[1]
        ));
    }
    let window = [own[2] / size[0], own[3] / size[1]];
    let x = Dispatch::max_pool2d(x, window, window, [0; 2], [1; 2], false);
    Ok(Value::Tensor(x))
}
