//! Convolutions and linear layers.

use burn::backend::Dispatch;
use burn::backend::ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps};

use super::Table;
use super::arithmetic::{aligned, broadcast, like, together};
use super::pooling::{images, places};
use crate::device::convolve_with;
use crate::network::pt2::value::{
    Call, Floats, Most, Result, Value, axes, refused, reshape, sizes,
};

pub(super) const TABLE: Table = &[
    ("aten.conv2d", |call| convolved(call, 2)),
    ("aten.conv1d", |call| convolved(call, 1)),
    ("aten.convolution", convolution),
    ("aten.conv_transpose2d", conv_transpose2d),
    ("aten.linear", linear),
    ("aten.addmm", addmm),
    ("aten.matmul aten.mm aten.bmm", matmul),
];

/// What a convolution is given beside its input.
struct Kernels {
    weight: Floats,
    bias: Option<Floats>,
}

impl Kernels {
    fn of(call: &mut Call, x: &Floats) -> Result<Self> {
        Ok(Self {
            weight: like(call.tensor("weight")?, x),
            bias: call.optional_tensor("bias")?.map(|bias| like(bias, x)),
        })
    }

    /// Convolves images with them.
    fn convolve(self, x: Floats, options: ConvOptions<2>, most: Most) -> Result<Floats> {
        let [batch, channels, height, width] = axes(&x)?;
        let weight @ [out, of_group, down, across] = axes(&self.weight)?;
        let groups = options.groups;
        if of_group.checked_mul(groups) != Some(channels) || out % groups != 0 {
            return refused(format!(
                "{channels} channels in {groups} groups do not go with its weight, {weight:?}"
            ));
        }
        self.check_bias(out)?;
        let along = |axis: usize, size: usize, kernel: usize| {
            let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
            let (before, behind) = options.padding[axis];
            let wide = size.saturating_add(before).saturating_add(behind);
            Ok((wide, places(wide, kernel, stride, dilation)?))
        };
        let (high, down) = along(0, height, down)?;
        let (wide, across) = along(1, width, across)?;
        most.check(&[batch, channels, high, wide])?;
        most.check(&[batch, out, down, across])?;
        Ok(convolve_with(x, self.weight, self.bias, options))
    }

    fn check_bias(&self, outputs: usize) -> Result<()> {
        match self.bias.as_ref().map(sizes) {
            Some(bias) if bias != [outputs] => {
                refused(format!("its bias is {bias:?}, expected {outputs} numbers"))
            }
            _ => Ok(()),
        }
    }
}

fn pair(call: &mut Call, name: &str, default: usize) -> Result<[usize; 2]> {
    Ok(call.pair(name)?.unwrap_or([default; 2]))
}

/// Of images, or with one axis of images that are one pixel high; a single one has no batch.
fn convolved(call: &mut Call, spatial: usize) -> Result<Value> {
    let (mut x, own) = call.sized()?;
    let is_alone = own.len() == spatial + 1;
    if is_alone {
        x = reshape(x, &[&[1], &own[..]].concat());
    }
    let mut kernels = Kernels::of(call, &x)?;
    if spatial == 1 {
        (x, kernels.weight) = (images(x, 1)?, images(kernels.weight, 1)?);
    }
    let [_, _, height, width] = axes(&kernels.weight)?;
    let dilation = pair(call, "dilation", 1)?;
    let mut options = ConvOptions {
        stride: pair(call, "stride", 1)?,
        padding: padding(call, [height, width], dilation)?,
        dilation,
        groups: call.count("groups", Some(1))?,
    };
    if spatial == 1 {
        (options.stride[0], options.padding[0], options.dilation[0]) = (1, (0, 0), 1);
    }
    let maps = kernels.convolve(x, options, call.most)?;
    let mut all = sizes(&maps);
    if spatial == 1 {
        all.remove(2);
    }
    if is_alone {
        all.remove(0);
    }
    Ok(Value::Tensor(if spatial == 1 || is_alone {
        reshape(maps, &all)
    } else {
        maps
    }))
}

/// Zeros before and behind along each axis; "same" puts one more behind where their number is odd.
fn padding(
    call: &mut Call,
    kernel: [usize; 2],
    dilation: [usize; 2],
) -> Result<[(usize, usize); 2]> {
    match call.text("padding").as_deref() {
        Some("valid") => Ok([(0, 0); 2]),
        Some("same") => Ok([0, 1].map(|axis: usize| {
            let all = dilation[axis].saturating_mul(kernel[axis].saturating_sub(1));
            (all / 2, all - all / 2)
        })),
        _ => Ok(pair(call, "padding", 0)?.map(|size| (size, size))),
    }
}

/// The operator below the others.
fn convolution(call: &mut Call) -> Result<Value> {
    if call.bool("transposed", false)? {
        return conv_transpose2d(call);
    }
    convolved(call, 2)
}

fn conv_transpose2d(call: &mut Call) -> Result<Value> {
    let x = call.subject()?;
    let kernels = Kernels::of(call, &x)?;
    let options = ConvTransposeOptions::new(
        pair(call, "stride", 1)?,
        pair(call, "padding", 0)?,
        pair(call, "output_padding", 0)?,
        pair(call, "dilation", 1)?,
        call.count("groups", Some(1))?,
    );
    let [batch, channels, height, width] = axes(&x)?;
    let weight @ [input, out, down, across] = axes(&kernels.weight)?;
    if channels != input || channels % options.groups != 0 {
        return refused(format!(
            "{channels} channels in {} groups do not go with its weight, {weight:?}",
            options.groups
        ));
    }
    let out = out.saturating_mul(options.groups);
    kernels.check_bias(out)?;
    // Without padding, which is cut off at the end.
    let along = |axis: usize, size: usize, kernel: usize| {
        let stride = options.stride[axis].saturating_mul(size);
        let reach = options.dilation[axis].saturating_mul(kernel);
        let all = stride
            .saturating_add(reach)
            .saturating_add(options.padding_out[axis]);
        match options.padding[axis].checked_mul(2) {
            Some(cut) if cut < all => Ok(all),
            _ => refused(format!("it cuts off {} of {all}", options.padding[axis])),
        }
    };
    let all = [along(0, height, down)?, along(1, width, across)?];
    call.most.check(&[batch, out, all[0], all[1]])?;
    Ok(Value::Tensor(Dispatch::conv_transpose2d(
        x,
        kernels.weight,
        kernels.bias,
        options,
    )))
}

fn linear(call: &mut Call) -> Result<Value> {
    let x = call.subject()?;
    let kernels = Kernels::of(call, &x)?;
    let own = sizes(&x);
    let features = own.last().copied().unwrap_or_default();
    let rows = own.iter().product::<usize>() / features.max(1);
    let weight @ [outputs, inputs] = axes(&kernels.weight)?;
    if inputs != features {
        return refused(format!("it is given {own:?}, its weight is {weight:?}"));
    }
    kernels.check_bias(outputs)?;
    call.most.check(&[rows, outputs])?;
    let flat = reshape(x, &[rows, features]);
    let mut product = Dispatch::float_matmul(flat, Dispatch::float_transpose(kernels.weight));
    if let Some(bias) = kernels.bias {
        product = Dispatch::float_add(product, reshape(bias, &[1, outputs]));
    }
    let mut all = own;
    if let Some(last) = all.last_mut() {
        *last = outputs;
    }
    Ok(Value::Tensor(reshape(product, &all)))
}

/// `beta · self + alpha · mat1 · mat2`
fn addmm(call: &mut Call) -> Result<Value> {
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let product = product(call.tensor("mat1")?, call.tensor("mat2")?, call.most)?;
    let scaled = |tensor, factor: f64| Dispatch::float_mul_scalar(tensor, factor.into());
    let added = scaled(call.subject()?, beta);
    let (added, product) = together(added, scaled(product, alpha), call.most)?;
    Ok(Value::Tensor(Dispatch::float_add(added, product)))
}

fn matmul(call: &mut Call) -> Result<Value> {
    let a = call.subject()?;
    let b = match call.optional_tensor("other")? {
        Some(b) => b,
        None => call.tensor("mat2")?,
    };
    Ok(Value::Tensor(product(a, b, call.most)?))
}

/// The product over the last two axes.
pub(super) fn product(a: Floats, b: Floats, most: Most) -> Result<Floats> {
    if sizes(&a).len().min(sizes(&b).len()) < 2 {
        return refused("a product with a vector is not known");
    }
    let (a, b) = aligned(a, b);
    let (left, right) = (sizes(&a), sizes(&b));
    let ([left_rest @ .., rows, inner], [right_rest @ .., same, columns]) = (&left[..], &right[..])
    else {
        return refused("a product with a vector is not known");
    };
    if inner != same {
        return refused(format!("there is no product of {left:?} and {right:?}"));
    }
    let rest = broadcast(left_rest, right_rest)?;
    most.check(&[&rest[..], &[*rows, *columns]].concat())?;
    Ok(Dispatch::float_matmul(a, b))
}
