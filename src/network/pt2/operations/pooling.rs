//! Pooling.

use burn::backend::Dispatch;
use burn::backend::ops::ModuleOps;

use super::Table;
use super::arithmetic::map;
use crate::network::pt2::value::{Call, Floats, Result, Value, refused, sizes};

pub(super) const TABLE: Table = &[
    ("aten.max_pool2d", max_pool2d),
    ("aten.avg_pool2d", avg_pool2d),
    ("aten.adaptive_avg_pool2d", adaptive_avg_pool2d),
    ("aten._adaptive_avg_pool2d", adaptive_avg_pool2d),
    ("aten.adaptive_max_pool2d", adaptive_max_pool2d),
    ("aten.adaptive_avg_pool1d", adaptive_avg_pool1d),
    ("aten.max_pool1d", max_pool1d),
    ("aten.avg_pool1d", avg_pool1d),
];

/// What max and average pooling have in common; the stride is the window where it is left out.
struct Window {
    size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    rounds_up: bool,
}

impl Window {
    fn of(call: &mut Call) -> Result<Self> {
        let Some(size) = call.pair("kernel_size")? else {
            return refused("it lacks its argument `kernel_size`");
        };
        Ok(Self {
            size,
            stride: call.pair("stride")?.unwrap_or(size),
            padding: call.pair("padding")?.unwrap_or([0; 2]),
            rounds_up: call.bool("ceil_mode", false)?,
        })
    }

    /// Checks that it fits into the input along the last axes; at most half of it is padding.
    fn check(&self, call: &Call, axes: usize, dilation: [usize; 2]) -> Result<()> {
        let Some(own) = call.first_sizes().filter(|own| own.len() > axes) else {
            return refused("its first argument is not a tensor of floats, an image");
        };
        for (axis, size) in own[own.len() - axes..].iter().enumerate() {
            let (window, padding) = (self.size[axis], self.padding[axis]);
            if padding > window / 2 {
                return refused(format!("it pads a window of {window} by {padding}"));
            }
            places(
                size.saturating_add(2 * padding),
                window,
                self.stride[axis],
                dilation[axis],
            )?;
        }
        Ok(())
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

fn max_pool2d(call: &mut Call) -> Result<Value> {
    let window = Window::of(call)?;
    let dilation = call.pair("dilation")?.unwrap_or([1; 2]);
    window.check(call, 2, dilation)?;
    map(call, |x| {
        Dispatch::max_pool2d(
            x,
            window.size,
            window.stride,
            window.padding,
            dilation,
            window.rounds_up,
        )
    })
}

fn max_pool1d(call: &mut Call) -> Result<Value> {
    let window = Window::of(call)?;
    let dilation = call.pair("dilation")?.unwrap_or([1; 2]);
    window.check(call, 1, dilation)?;
    map(call, |x| {
        Dispatch::max_pool1d(
            x,
            window.size[0],
            window.stride[0],
            window.padding[0],
            dilation[0],
            window.rounds_up,
        )
    })
}

fn avg_pool2d(call: &mut Call) -> Result<Value> {
    let window = Window::of(call)?;
    let counts_padding = call.bool("count_include_pad", true)?;
    if call.take("divisor_override").is_some() {
        return refused("a divisor of its own is not known");
    }
    window.check(call, 2, [1; 2])?;
    map(call, |x| {
        Dispatch::avg_pool2d(
            x,
            window.size,
            window.stride,
            window.padding,
            counts_padding,
            window.rounds_up,
        )
    })
}

fn avg_pool1d(call: &mut Call) -> Result<Value> {
    let window = Window::of(call)?;
    let counts_padding = call.bool("count_include_pad", true)?;
    window.check(call, 1, [1; 2])?;
    map(call, |x| {
        Dispatch::avg_pool1d(
            x,
            window.size[0],
            window.stride[0],
            window.padding[0],
            counts_padding,
            window.rounds_up,
        )
    })
}

/// The size that is asked for; what is left open is the input's.
fn output(call: &mut Call) -> Result<[usize; 2]> {
    match call.pair("output_size")? {
        Some(size) if !size.contains(&0) => {
            let own = call.first_sizes().unwrap_or_default();
            let rest = &own[..own.len().min(2)];
            call.most.check(&[rest, &size[..]].concat())?;
            Ok(size)
        }
        Some(size) => refused(format!("it makes {size:?}")),
        None => refused("it lacks its argument `output_size`"),
    }
}

fn adaptive_avg_pool2d(call: &mut Call) -> Result<Value> {
    let size = output(call)?;
    map(call, |x| Dispatch::adaptive_avg_pool2d(x, size))
}

fn adaptive_avg_pool1d(call: &mut Call) -> Result<Value> {
    let [size, _] = output(call)?;
    map(call, |x| Dispatch::adaptive_avg_pool1d(x, size))
}

/// Windows of one size, where the input is a multiple of the output, or the largest of all.
fn adaptive_max_pool2d(call: &mut Call) -> Result<Value> {
    let size = output(call)?;
    let x = call.tensor("self")?;
    let own = sizes(&x);
    let [.., height, width] = own[..] else {
        return refused(format!("it is given {own:?}, expected images"));
    };
    if size.contains(&0) || height % size[0] != 0 || width % size[1] != 0 {
        return refused(format!(
            "of {height} x {width} pixels it makes {} x {}, of windows that are not of one size",
            size[0], size[1]
        ));
    }
    let window = [height / size[0], width / size[1]];
    Ok(Value::Tensor(pooled(x, window)))
}

fn pooled(x: Floats, window: [usize; 2]) -> Floats {
    Dispatch::max_pool2d(x, window, window, [0; 2], [1; 2], false)
}
