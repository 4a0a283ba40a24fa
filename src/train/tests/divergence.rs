//! A training that diverges.

use std::path::Path;

use crate::device::OpenDevice;
use crate::network::vgg::{Extent, ParameterSource, Variant, build};
use crate::network::{Kernels, Placement};
use crate::train::divergence::{Divergence, Origin, Symptom};
use crate::train::trainer::Samples;
use crate::train::{TrainError, Trainer, TrainingSettings};
use crate::weights::{WeightsError, WeightsFile};

use super::reference::{Reference, fixture};
use super::support::{alone, devices, learning, narrow, parameters, trainer};

/// A file's parameters, with all values of one of them replaced.
struct Corrupted {
    file: WeightsFile,
    name: &'static str,
    value: f32,
}

impl ParameterSource for Corrupted {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightsError> {
        ParameterSource::shape(&self.file, name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let mut values = ParameterSource::read(&self.file, name)?;
        if name == self.name {
            values.fill(self.value);
        }
        Ok(values)
    }
}

fn corrupted(arch: &str, name: &'static str, value: f32, device: &OpenDevice) -> Trainer {
    let file = WeightsFile::open(fixture(&format!("vgg/{arch}.weights.safetensors"))).unwrap();
    let source = Corrupted { file, name, value };
    let place = Placement {
        device: &learning(device),
        kernels: Kernels::Interleaved,
    };
    let variant = Variant::of(&source.file, arch.parse().ok()).unwrap();
    let vgg = build(&source, &variant, Extent::Whole, place).unwrap();
    trainer(vgg, settings(), device)
}

fn settings() -> TrainingSettings {
    Reference::read().text.cases["momentum"].settings()
}

fn samples() -> Samples {
    Reference::read().samples(&[0, 1, 2])
}

#[track_caller]
fn diverged(trainer: &mut Trainer, samples: Samples) -> Divergence {
    match trainer.step(vec![samples], |_, _| ()) {
        Err(TrainError::Diverged(diverged)) => diverged,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn layer_of(origin: &Origin) -> usize {
    match origin {
        Origin::Layer(layer) => layer.index,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_parameter_that_is_not_finite_is_named() {
    let _alone = alone();
    for device in devices() {
        for (arch, name, value) in [
            ("vgg16", "features.5.weight", f32::INFINITY),
            ("vgg16", "classifier.3.bias", f32::NAN),
            ("vgg11_bn", "features.9.bias", f32::NAN),
        ] {
            let mut trainer = corrupted(arch, name, value, &device);
            let diverged = diverged(&mut trainer, samples());
            assert_eq!(diverged.step, 1);
            assert_eq!(
                diverged.origin,
                Origin::Parameter(name.to_owned()),
                "{}",
                device.kind
            );
            assert_eq!(trainer.steps(), 0);
        }
    }
}

/// Pixels so large that a layer's sums are not finite. With batch normalization its running statistics
/// are not finite by then either; the layer is what is to be named.
#[test]
fn the_first_layer_whose_maps_are_not_finite_is_named() {
    let _alone = alone();
    for device in devices() {
        for arch in ["vgg16", "vgg11_bn"] {
            let mut exploding = samples();
            exploding.batch.pixels.fill(3e38);
            let mut trainer = trainer(narrow(arch, &device), settings(), &device);
            let diverged = diverged(&mut trainer, exploding);
            assert!(matches!(diverged.symptom, Symptom::Loss { value, .. } if value.is_nan()));
            assert_eq!(layer_of(&diverged.origin), 0, "{arch} on {}", device.kind);
        }
    }
}

/// Finite parameters whose products are not.
#[test]
fn a_layer_in_the_middle_and_the_classifier_are_distinguished() {
    let _alone = alone();
    for device in devices() {
        let mut inner = corrupted("vgg16", "features.7.bias", 3e38, &device);
        // 7 is conv2_2; the next convolution adds up what it gives.
        let origin = diverged(&mut inner, samples()).origin;
        assert_eq!(layer_of(&origin), 10, "{}", device.kind);
        let mut outer = corrupted("vgg16", "classifier.6.weight", 3e38, &device);
        let origin = diverged(&mut outer, samples()).origin;
        assert_eq!(origin, Origin::Classifier, "{}", device.kind);
    }
}

#[test]
fn a_loss_above_the_maximum_stops_the_training_before_the_step() {
    let _alone = alone();
    for device in devices() {
        let limited = |max_loss| TrainingSettings {
            max_loss,
            ..settings()
        };
        let mut strict = trainer(narrow("vgg16", &device), limited(1.0), &device);
        let before = parameters(&strict.network());
        let diverged = diverged(&mut strict, samples());
        let Symptom::Loss { value: loss, .. } = diverged.symptom else {
            panic!("{diverged:?}");
        };
        assert!(loss > 1.0 && loss < 3.0, "{loss}");
        assert_eq!(diverged.origin, Origin::AllFinite);
        assert_eq!(
            diverged.symptom.to_string(),
            format!("the loss is {loss:.4}, above 1")
        );
        assert_eq!(parameters(&strict.network()), before);
        let mut lenient = trainer(narrow("vgg16", &device), limited(loss + 0.001), &device);
        lenient.step(vec![samples()], |_, _| ()).unwrap();
        assert_eq!(lenient.steps(), 1);
        assert_ne!(parameters(&lenient.network()), before);
    }
}

/// The second of two batches: nothing of the first one is left.
#[test]
fn a_step_that_fails_leaves_the_parameters_as_they_were() {
    let _alone = alone();
    for device in devices() {
        let mut trainer = trainer(narrow("vgg16", &device), settings(), &device);
        trainer.step(vec![samples()], |_, _| ()).unwrap();
        let before = parameters(&trainer.network());
        let mut exploding = samples();
        exploding.batch.pixels.fill(f32::INFINITY);
        trainer
            .step(vec![samples(), exploding], |_, _| ())
            .unwrap_err();
        assert_eq!(parameters(&trainer.network()), before);
        assert_eq!(trainer.steps(), 1);
        trainer.step(vec![samples()], |_, _| ()).unwrap();
    }
}
