//! A convolution's gradients, computed by libtorch itself.
//!
//! Burn derives them from further convolutions, that of the kernels from one whose kernel is as large
//! as the image. libtorch has dedicated routines, with which a training step takes little more than
//! half the time: its autograd records the forward pass and computes the gradients in the backward pass.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;
use burn_tch::{LibTorch, TchTensor};

use super::operations::signed;
use crate::device::operations::Operations;

impl<C: CheckpointStrategy> Operations for Autodiff<LibTorch, C> {
    fn convolve(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        let [x, kernels, bias] = [x, kernels, bias].map(FloatTensor::<Self>::into_parts);
        let nodes = [x.1, kernels.1, bias.1];
        let inputs = [x.0, kernels.0, bias.0];
        let prepared = ByAutograd.prepare::<C>(nodes).compute_bound().stateful();
        match prepared {
            OpsKind::Tracked(prepared) => {
                let recorded = Recorded::new(inputs, &options);
                let maps = TchTensor::new(recorded.maps.tensor.detach());
                prepared.finish(recorded, maps)
            }
            OpsKind::UnTracked(prepared) => {
                let [x, kernels, bias] = inputs;
                prepared.finish(LibTorch::convolve(x, kernels, bias, options))
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Recorded {
    /// `x`, kernels and bias, detached.
    inputs: [TchTensor; 3],
    /// The result, with its graph.
    maps: TchTensor,
}

impl Recorded {
    fn new(inputs: [TchTensor; 3], options: &ConvOptions<2>) -> Self {
        // With the original's storage, or Burn would take it for unshared and write into it.
        let inputs = inputs.map(|input| {
            let leaf = input.tensor.detach().set_requires_grad(true);
            TchTensor::from_existing(leaf, input.storage)
        });
        let [x, kernels, bias] = inputs.each_ref().map(|input| &input.tensor);
        let sizes = |sizes: [usize; 2]| sizes.map(signed);
        let maps = x.conv2d(
            kernels,
            Some(bias),
            sizes(options.stride),
            sizes(options.padding.map(|(before, _)| before)),
            sizes(options.dilation),
            signed(options.groups),
        );
        Self {
            inputs,
            maps: TchTensor::new(maps),
        }
    }
}

#[derive(Debug)]
struct ByAutograd;

impl Backward<LibTorch, 3> for ByAutograd {
    type State = Recorded;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        // Backward starts at a scalar: the one whose gradient with respect to the maps is theirs, in the order of
        // memory.
        let by_pixel = |maps: &tch::Tensor| maps.permute([0, 2, 3, 1]).reshape(-1);
        let of_maps = gradients.consume::<LibTorch>(&ops.node);
        let entry = by_pixel(&ops.state.maps.tensor).dot(&by_pixel(&of_maps.tensor));
        let (nodes, inputs): (Vec<_>, Vec<_>) = ops
            .parents
            .into_iter()
            .zip(&ops.state.inputs)
            .filter_map(|(node, input)| Some((node?.id, &input.tensor)))
            .unzip();
        let computed = tch::Tensor::run_backward(&[entry], &inputs, false, false);
        for (node, gradient) in nodes.into_iter().zip(computed) {
            gradients.register::<LibTorch>(node, TchTensor::new(gradient));
        }
    }
}
