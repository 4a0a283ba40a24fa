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
use burn::backend::tensor::FloatTensor;
use burn_tch::{LibTorch, TchTensor};

use crate::device::operations::Operations;

impl<C: CheckpointStrategy> Operations for Autodiff<LibTorch, C> {
    fn convolve(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (kernels, kernels_node) = kernels.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let prepared = ByAutograd
            .prepare::<C>([x_node, kernels_node, bias_node])
            .compute_bound()
            .stateful();
        match prepared {
            OpsKind::Tracked(prepared) => {
                let recorded = Recorded::new(&x, &kernels, &bias);
                let maps = TchTensor::new(recorded.maps.tensor.detach());
                prepared.finish(recorded, maps)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(LibTorch::convolve(x, kernels, bias)),
        }
    }
}

/// A convolution recorded by libtorch's autograd.
#[derive(Debug, Clone)]
struct Recorded {
    /// `x`, kernels and bias, detached.
    inputs: [TchTensor; 3],
    /// The result, with its graph.
    maps: TchTensor,
}

impl Recorded {
    fn new(x: &TchTensor, kernels: &TchTensor, bias: &TchTensor) -> Self {
        // With the original's storage, or Burn would take it for unshared and write into it.
        let inputs = [x, kernels, bias].map(|input| {
            let leaf = input.tensor.detach().set_requires_grad(true);
            TchTensor::from_existing(leaf, input.storage.clone())
        });
        let [x, kernels, bias] = &inputs;
        let maps = x.tensor.conv2d(
            &kernels.tensor,
            Some(&bias.tensor),
            [1, 1],
            [1, 1],
            [1, 1],
            1,
        );
        Self {
            inputs,
            maps: TchTensor::new(maps),
        }
    }

    /// The gradients of the inputs flagged in `wanted`, from that of the result.
    fn gradients(&self, maps_gradient: &tch::Tensor, wanted: [bool; 3]) -> Vec<TchTensor> {
        // Backward starts at a scalar: the one whose gradient with respect to the maps is `maps_gradient`.
        let maps = by_pixel(&self.maps.tensor);
        let entry = maps.dot(&by_pixel(maps_gradient));
        let inputs: Vec<&tch::Tensor> = self
            .inputs
            .iter()
            .zip(wanted)
            .filter_map(|(input, wanted)| wanted.then_some(&input.tensor))
            .collect();
        tch::Tensor::run_backward(&[entry], &inputs, false, false)
            .into_iter()
            .map(TchTensor::new)
            .collect()
    }
}

/// Flattened in channels-last order.
fn by_pixel(maps: &tch::Tensor) -> tch::Tensor {
    maps.permute([0, 2, 3, 1]).reshape(-1)
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
        let maps_gradient = gradients.consume::<LibTorch>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let computed = ops.state.gradients(&maps_gradient.tensor, wanted);
        for (node, gradient) in ops.parents.into_iter().flatten().zip(computed) {
            gradients.register::<LibTorch>(node.id, gradient);
        }
    }
}
