//! `vggscope diff --images`: what two weights files make of images.

use serde_json::Value;

use super::diff::{edited, fixture, layer};
use crate::program::support::{CPU, Place, events, photo, weights};

/// The images that the sweep of the same two checkpoints compares give the same CKA, to the last digit that is
/// printed; a layer that was only doubled represents the same.
#[test]
fn representations_are_those_of_a_sweep() {
    let place = Place::on_cpu();
    let old = place.put(&weights(), "ckpts/epoch_1.safetensors");
    let new = edited(&place, "ckpts/epoch_2.safetensors", |tensors| {
        for (name, _, bytes) in tensors {
            if name == "features.10.weight" || name == "features.10.bias" {
                for four in bytes.as_chunks_mut::<4>().0 {
                    *four = (2.0 * f32::from_le_bytes(*four)).to_le_bytes();
                }
            } else if name == "features.17.weight" {
                bytes[..45 * 4].fill(0);
            }
        }
    });
    let images = fixture("crops/val");
    let line = "checkpoints ckpts --run a --resize 64 --crop 64 --layers conv*";
    let flags = [
        "--images".into(),
        photo("chelsea.png"),
        "--compare-images".into(),
        images.clone(),
    ];
    place.run(line, &flags).ok();
    let seen = events(&place.path("runs/a"));
    let of_sweep = |tag: &str| {
        let tag = format!("similarity/{tag}/cka_to_first");
        let value = seen.iter().find(|one| one.tag == tag).map(|one| &one.value);
        match value {
            Some(tensorboard_events::Value::Scalar(value)) => f64::from(*value),
            other => panic!("{tag}: {other:?}"),
        }
    };
    // The files stand before the images, which are a list.
    let line = |flags: &str| {
        let line = format!(
            "diff {} {} {flags} --device {CPU} --resize 64 --crop 64 --images",
            old.display(),
            new.display()
        );
        place.run(&line, &[&images])
    };
    let found: Value = serde_json::from_str(&line("--json").out()).unwrap();
    assert_eq!(found["images"], 24);
    for (name, tag) in [
        ("features.0", "00_conv1_1"),
        ("features.10", "10_conv3_1"),
        ("features.17", "17_conv4_1"),
        ("features.28", "28_conv5_3"),
    ] {
        let cka = &layer(&found, name)["cka"];
        let value = cka["value"].as_f64().unwrap();
        assert!(
            (value - of_sweep(tag)).abs() < 1e-5,
            "{name}: {cka} {}",
            of_sweep(tag)
        );
        assert!(cka["low"].as_f64().unwrap() <= value + 1e-9, "{cka}");
    }
    let doubled = layer(&found, "features.10");
    assert!(
        (doubled["cka"]["value"].as_f64().unwrap() - 1.0).abs() < 1e-5,
        "{doubled}"
    );
    assert!(
        layer(&found, "features.17")["cka"]["value"]
            .as_f64()
            .unwrap()
            < 0.9999
    );
    let ran = line("");
    assert_eq!(ran.code(), 1);
    assert!(ran.out().contains("CKA, 24 images"), "{}", ran.out());
}

#[test]
fn images_that_say_nothing_and_flags_without_images_are_exit_code_2() {
    let place = Place::on_cpu();
    let (old, new) = (weights(), weights());
    let line = |flags: &str| format!("diff {} {} {flags}", old.display(), new.display());
    let none: [&str; 0] = [];
    for flags in ["--crop 64", "--device flex"] {
        let ran = place.run(&line(flags), &none);
        assert_eq!(ran.code(), 2);
        assert!(ran.err().contains("--images <IMAGE>..."), "{}", ran.err());
    }
    place
        .run(&line("--images"), &[photo("chelsea.png")])
        .fails(2, &["--images", "1 images", "16"]);
    place
        .run(&line("--images"), &["gone.png"])
        .fails(2, &["gone.png"]);
    place
        .run(
            &line("--normalize scale=255 --images"),
            &[fixture("crops/val")],
        )
        .fails(2, &["--normalize", "mean="]);
}
