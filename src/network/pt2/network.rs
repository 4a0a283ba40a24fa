//! An exported network with its parameters, on a device.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{Device, Tensor, TensorData};

use super::error::{ProgramError, Pt2Error};
use super::graph::Stored;
use super::operations::part;
use super::program::Program;
use super::run::{Plan, as_maps};
use super::size::Size;
use super::value::{Floats, Place, reshape, sizes};
use crate::device::BackendError;
use crate::network::{
    Architecture, Kernels, Layer, LayerKind, Network, Parameter, ParameterValue, Parameters,
    Placement,
};
use crate::one_line::one_line;
use crate::weights::{WeightsError, WeightsErrorKind, WeightsFile};

/// A network that `torch.export` wrote, with the tensors that some of its layers need.
#[derive(Debug, Clone)]
pub(crate) struct ExportedNetwork {
    program: Arc<Program>,
    plan: Arc<Plan>,
    /// In the order in which they are used, with PyTorch's names.
    stored: Vec<(Place, String)>,
    values: HashMap<Place, Floats>,
}

impl ExportedNetwork {
    /// With the tensors of a weights file that `wanted` need; those that no state dict has are the program's own.
    pub(crate) fn build(
        program: &Arc<Program>,
        weights: &WeightsFile,
        wanted: &[Layer],
        place: Placement<'_>,
    ) -> Result<Self, ProgramError> {
        let plan = program.plan(wanted)?;
        Self::of(program, plan, weights, place)
    }

    pub(super) fn of(
        program: &Arc<Program>,
        plan: Plan,
        weights: &WeightsFile,
        place: Placement<'_>,
    ) -> Result<Self, ProgramError> {
        let mut own = None;
        let mut network = Self {
            program: Arc::clone(program),
            stored: Vec::new(),
            values: HashMap::new(),
            plan: Arc::new(plan),
        };
        for stored in program.stored_for(&network.plan.nodes) {
            let file = if stored.is_saved {
                weights
            } else {
                match &mut own {
                    Some(own) => own,
                    none => none.insert(constants(program)?),
                }
            };
            let value = read(file, stored, place)?;
            network.stored.push((stored.place, stored.name.clone()));
            network.values.insert(stored.place, value);
        }
        Ok(network)
    }

    /// Runs images through the graph, as many as it takes.
    pub(super) fn run(
        &self,
        images: Floats,
        take: &mut dyn FnMut(usize, &Floats),
    ) -> Result<(), BackendError> {
        let ran = self
            .plan
            .run(&self.program.graph, &self.values, images, take);
        ran.map_err(|error| match error {
            Pt2Error::Operation {
                source: short @ (BackendError::OutOfMemory(_) | BackendError::Threads),
                ..
            } => short,
            error => self.named(error),
        })
    }

    fn named(&self, source: Pt2Error) -> BackendError {
        BackendError::Graph(one_line(&self.program.failed(source)))
    }
}

fn constants(program: &Program) -> Result<WeightsFile, WeightsError> {
    let stored = program.graph.stored.iter();
    let names = stored.map(|stored| stored.name.as_str()).collect();
    WeightsFile::open_named(&program.path, None, &names)
}

/// A tensor of a file, in the shape that the graph says.
fn read(file: &WeightsFile, stored: &Stored, place: Placement<'_>) -> Result<Floats, WeightsError> {
    let (entry, device) = (file.entry(&stored.name)?, place.device);
    let found = entry.shape();
    if found != stored.shape {
        return Err(WeightsError::new(
            file.path(),
            WeightsErrorKind::Shape {
                name: stored.name.clone(),
                found: found.to_vec(),
                expected: format!("{:?}", stored.shape),
            },
        ));
    }
    let values = file.read_numbers(entry)?;
    if let (&[out, input, height, width], Kernels::Interleaved) = (found, place.kernels)
        && height * width > 1
    {
        let data = TensorData::new(values, [out, input, height, width]);
        let reordered = Tensor::<4>::from_data(data, device).permute([0, 2, 3, 1]);
        let reordered = Tensor::<4>::from_data(reordered.into_data(), device);
        let kernels = reordered.permute([0, 3, 1, 2]);
        return Ok(kernels.into_dispatch());
    }
    let count = values.len();
    let flat = Tensor::<1>::from_data(TensorData::new(values, [count]), device);
    Ok(reshape(flat.into_dispatch(), found))
}

impl Network for ExportedNetwork {
    fn architecture(&self) -> &dyn Architecture {
        &*self.program
    }

    fn visit(
        &self,
        batch: Tensor<4>,
        wanted: &[Layer],
        take: &mut dyn FnMut(&Layer, &Tensor<4>),
    ) -> Result<(), BackendError> {
        let shown = self.program.shown_of(wanted);
        let [images, _, height, width] = batch.dims();
        let shapes = self.program.output_shapes(wanted, [height, width]);
        let shapes = shapes.map_err(|error| BackendError::Graph(one_line(&error)))?;
        let mut wrong = None;
        let mut take = |at: usize, values: &Floats| {
            let (of, expected) = (shown[at], shapes[at]);
            let is_free = of.shape.iter().any(Size::is_free);
            match as_maps(values.clone(), of.order) {
                // What the input decides may not be known.
                Some(maps) if is_free || maps.dims()[1..] == expected => {
                    take(&of.layer, &maps);
                }
                _ => {
                    wrong = wrong.take().or(Some(Pt2Error::Shape {
                        layer: of.layer.name().to_owned(),
                        found: sizes(values),
                        expected,
                    }));
                }
            }
        };
        let most = match &self.program.graph.image[0] {
            Size::Known(most) => *most,
            Size::Free { .. } => images,
        };
        // A fixed number of images: as many turns as it takes, the last filled up with the last image.
        let mut parts: BTreeMap<usize, Vec<Floats>> = BTreeMap::new();
        for first in (0..images).step_by(most.max(1)) {
            let here = most.min(images - first);
            let mut turn = batch.clone();
            if images != most {
                let last = batch.clone().narrow(0, first + here - 1, 1);
                let filled = std::iter::repeat_n(last, most - here);
                let own = batch.clone().narrow(0, first, here);
                turn = Tensor::cat([own].into_iter().chain(filled).collect(), 0);
            }
            let seen = &mut |node: usize, values: &Floats| {
                let Some(at) = shown.iter().position(|of| of.node == node) else {
                    return;
                };
                if images == most {
                    return take(at, values);
                }
                let own = part(values.clone(), 0, 0..here, 1);
                parts.entry(at).or_default().push(own);
            };
            self.run(turn.into_dispatch(), seen)?;
        }
        for (at, all) in parts {
            take(at, &Dispatch::float_cat(all, 0));
        }
        wrong.map_or(Ok(()), |error| Err(self.named(error)))
    }

    fn parameters(&self) -> Parameters {
        let layers = self.program.layers();
        let of_module = |module: &str| {
            let own = |layer: &&Layer| layer.torch_name() == module;
            layers.iter().find(own).cloned()
        };
        let parameters = self.stored.iter().filter_map(|(place, name)| {
            let value = self.values.get(place)?.clone();
            let value = match sizes(&value).len() {
                1 => ParameterValue::Vector(Tensor::from_dispatch(value)),
                2 => ParameterValue::Matrix(Tensor::from_dispatch(value)),
                4 => ParameterValue::Kernels(Tensor::from_dispatch(value)),
                _ => return None,
            };
            let module = name.rsplit_once('.').unwrap_or_default().0;
            let layer = of_module(module).filter(|layer| {
                !matches!(value, ParameterValue::Matrix(_)) && layer.kind != LayerKind::Other
            });
            Some(Parameter {
                layer,
                name: name.clone(),
                id: None,
                value,
            })
        });
        Parameters(parameters.collect())
    }

    fn to_device(&self, device: &Device) -> Box<dyn Network> {
        let moved = |tensor: &Floats| {
            let flat = reshape(tensor.clone(), &[sizes(tensor).iter().product()]);
            let flat = Tensor::<1>::from_dispatch(flat).to_device(device);
            reshape(flat.into_dispatch(), &sizes(tensor))
        };
        let values = self.values.iter();
        let values = values.map(|(place, tensor)| (*place, moved(tensor)));
        Box::new(Self {
            values: values.collect(),
            ..self.clone()
        })
    }
}
