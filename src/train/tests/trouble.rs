//! A training that goes wrong.

use crate::device::OpenDevice;
use crate::train::{Optimisation, Place, Samples, Symptom, TrainError, Trainer, Trouble};
use crate::vgg::{Extent, Kernels, ParameterSource, Placement, build};
use crate::weights::WeightsFile;

use super::reference::{Reference, fixture};
use super::support::{alone, devices, learning, narrow, parameters, trainer};

/// A file's parameters, with all numbers of one of them replaced.
struct Spoilt {
    file: WeightsFile,
    name: &'static str,
    number: f32,
}

impl ParameterSource for Spoilt {
    type Error = <WeightsFile as ParameterSource>::Error;

    fn shape(&self, name: &str) -> Result<Vec<usize>, Self::Error> {
        ParameterSource::shape(&self.file, name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, Self::Error> {
        let mut values = ParameterSource::read(&self.file, name)?;
        if name == self.name {
            values.fill(self.number);
        }
        Ok(values)
    }
}

fn spoilt(arch: &str, name: &'static str, number: f32, device: &OpenDevice) -> Trainer {
    let file = WeightsFile::open(fixture(&format!("vgg/{arch}.weights.safetensors"))).unwrap();
    let source = Spoilt { file, name, number };
    let place = Placement {
        device: &learning(device),
        kernels: Kernels::Interleaved,
    };
    let vgg = build(&source, arch.parse().unwrap(), Extent::Whole, place).unwrap();
    trainer(vgg, settings(), device)
}

fn settings() -> Optimisation {
    Reference::read().text.cases["momentum"].settings()
}

fn samples() -> Samples {
    Reference::read().samples(&[0, 1, 2])
}

#[track_caller]
fn trouble(trainer: &mut Trainer, samples: Samples) -> Trouble {
    match trainer.step(vec![samples], |_, _| ()) {
        Err(TrainError::Trouble(trouble)) => trouble,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_parameter_that_is_not_finite_is_named() {
    let _alone = alone();
    for device in devices() {
        for (arch, name, number) in [
            ("vgg16", "features.5.weight", f32::INFINITY),
            ("vgg16", "classifier.3.bias", f32::NAN),
            ("vgg11_bn", "features.9.bias", f32::NAN),
        ] {
            let mut trainer = spoilt(arch, name, number, &device);
            let trouble = trouble(&mut trainer, samples());
            assert_eq!(trouble.step, 1);
            assert_eq!(
                trouble.place,
                Place::Parameter(name.to_owned()),
                "{}",
                device.kind
            );
            assert_eq!(trainer.steps(), 0);
        }
    }
}

/// Pixels so large that a layer's sums are not finite. With batch normalisation its running statistics
/// are not finite by then either; the layer is what is to be named.
#[test]
fn the_first_layer_whose_maps_are_not_finite_is_named() {
    let _alone = alone();
    for device in devices() {
        for arch in ["vgg16", "vgg11_bn"] {
            let mut exploding = samples();
            exploding.pixels.fill(3e38);
            let mut trainer = trainer(narrow(arch, &device), settings(), &device);
            let trouble = trouble(&mut trainer, exploding);
            assert!(matches!(trouble.symptom, Symptom::Loss { value, .. } if value.is_nan()));
            assert_eq!(trouble.place, Place::Layer(0), "{arch} on {}", device.kind);
        }
    }
}

/// Finite parameters whose products are not.
#[test]
fn a_layer_in_the_middle_and_the_classifier_are_told_apart() {
    let _alone = alone();
    for device in devices() {
        let mut inner = spoilt("vgg16", "features.7.bias", 3e38, &device);
        // 7 is conv2_2; the next convolution adds up what it gives.
        let place = trouble(&mut inner, samples()).place;
        assert_eq!(place, Place::Layer(10), "{}", device.kind);
        let mut outer = spoilt("vgg16", "classifier.6.weight", 3e38, &device);
        let place = trouble(&mut outer, samples()).place;
        assert_eq!(place, Place::Classifier, "{}", device.kind);
    }
}

#[test]
fn a_loss_above_the_highest_ends_the_training_before_the_step() {
    let _alone = alone();
    for device in devices() {
        let limited = |highest_loss| Optimisation {
            highest_loss,
            ..settings()
        };
        let mut strict = trainer(narrow("vgg16", &device), limited(1.0), &device);
        let before = parameters(&strict.network());
        let trouble = trouble(&mut strict, samples());
        let Symptom::Loss { value: loss, .. } = trouble.symptom else {
            panic!("{trouble:?}");
        };
        assert!(loss > 1.0 && loss < 3.0, "{loss}");
        assert_eq!(trouble.place, Place::Nowhere);
        assert_eq!(
            trouble.symptom.to_string(),
            format!("the loss is {loss:.4}, above 1 (--stop-above)")
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
        exploding.pixels.fill(f32::INFINITY);
        trainer
            .step(vec![samples(), exploding], |_, _| ())
            .unwrap_err();
        assert_eq!(parameters(&trainer.network()), before);
        assert_eq!(trainer.steps(), 1);
        trainer.step(vec![samples()], |_, _| ()).unwrap();
    }
}
