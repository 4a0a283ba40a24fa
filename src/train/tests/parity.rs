//! The same steps as PyTorch takes.

use std::collections::BTreeMap;

use crate::device::OpenDevice;

use super::reference::{Case, Reference};
use super::support::{alone, devices, gradients, narrow, parameters, trainer};

/// Length of the difference by the length of what is expected.
pub(super) fn distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let pairs = || found.iter().zip(expected);
    let difference = length(&mut pairs().map(|(a, b)| f64::from(a - b)));
    difference / length(&mut expected.iter().map(|x| f64::from(*x))).max(f64::MIN_POSITIVE)
}

fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs(),
        "{what}: {found}, PyTorch has {expected}"
    );
}

/// Takes a case's steps.
fn follow(reference: &Reference, name: &str, device: &OpenDevice, tolerance: f64) {
    let case: &Case = &reference.text.cases[name];
    let mut trainer = trainer(narrow(&case.arch, device), case.settings(), device);
    for (step, batches) in case.order.iter().enumerate() {
        let samples = batches.iter().map(|batch| reference.samples(batch));
        let outcome = trainer.step(samples.collect(), |_, _| ()).unwrap();
        let what = |of: &str| format!("{name} on {}, {of} of step {step}", device.kind);
        assert_near(
            outcome.score.loss(),
            case.loss[step],
            tolerance,
            &what("loss"),
        );
        assert_near(
            outcome.gradient_norm,
            case.gradient_norm[step],
            10.0 * tolerance,
            &what("gradient norm"),
        );
        assert_near(
            outcome.learning_rate,
            case.learning_rate[step],
            1e-6,
            &what("learning rate"),
        );
    }
    let found = parameters(&trainer.network());
    let expected = reference.tensors(&format!("{name}/final/"));
    assert!(expected.len() >= 5);
    for (parameter, expected) in expected {
        let far = distance(&found[&parameter], &expected);
        assert!(
            far <= tolerance,
            "{name} on {}: {parameter} is {far} from PyTorch's",
            device.kind
        );
    }
}

// Verified: PyTorch | losses, gradient norms, learning rates and final parameters of a training: SGD, Adam, AdamW, schedules, batch norm | 1e-5 of the value; Adam 3e-4
#[test]
fn losses_and_parameters_are_pytorchs() {
    let _alone = alone();
    let reference = Reference::read();
    for name in reference.text.cases.keys() {
        for device in devices() {
            // Found: at most 1.1e-5 for losses, 8.3e-5 for parameters (Adam), else 3e-6.
            follow(
                &reference,
                name,
                &device,
                if name == "adam" { 3e-4 } else { 1e-5 },
            );
        }
    }
}

// Verified: PyTorch | the first gradients | 1e-5 of the norm
#[test]
fn the_first_gradients_are_pytorchs() {
    let _alone = alone();
    let reference = Reference::read();
    for name in ["plain", "batch_norm"] {
        let case = &reference.text.cases[name];
        let expected = reference.tensors(&format!("{}/gradients/", case.arch));
        for device in devices() {
            let mut trainer = trainer(narrow(&case.arch, &device), case.settings(), &device);
            let samples = reference.samples(&case.order[0][0]);
            let mut found = BTreeMap::new();
            trainer
                .step(vec![samples], |vgg, all| found = gradients(vgg, all))
                .unwrap();
            assert!(found.keys().eq(expected.keys()));
            for (parameter, expected) in &expected {
                let found = &found[parameter];
                // What batch normalization cancels is nothing but rounding.
                let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                if largest < 1e-7 {
                    assert!(
                        found.iter().all(|x| x.abs() < 1e-6),
                        "{parameter}: {found:?}"
                    );
                    continue;
                }
                let far = distance(found, expected);
                assert!(far <= 1e-5, "{parameter} on {}: {far}", device.kind);
            }
        }
    }
}

/// Whatever batches the images of a step come in: PyTorch's gradients and loss of all of them at once.
// Verified: PyTorch | accumulated gradients with a short last batch | 1e-5 of the norm
#[test]
fn images_of_a_short_batch_weigh_as_much_as_others() {
    let _alone = alone();
    let reference = Reference::read();
    let case = &reference.text.cases["plain"];
    let expected = reference.tensors(&format!("{}/gradients/", case.arch));
    let images = &case.order[0][0];
    for device in devices() {
        let mut trainer = trainer(narrow(&case.arch, &device), case.settings(), &device);
        let (long, short) = images.split_at(images.len() - 1);
        let batches = [long, short].map(|batch| reference.samples(batch));
        let mut found = BTreeMap::new();
        let outcome = trainer
            .step(batches.into(), |vgg, all| found = gradients(vgg, all))
            .unwrap();
        let loss = outcome.score.loss();
        assert_near(loss, case.loss[0], 1e-5, "loss");
        for (parameter, expected) in &expected {
            let far = distance(&found[parameter], expected);
            assert!(far <= 1e-5, "{parameter} on {}: {far}", device.kind);
        }
    }
}
