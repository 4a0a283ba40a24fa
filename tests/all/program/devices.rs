//! Where a run computes and renders, and in which numbers: what is in the event file is the same.

use std::collections::BTreeMap;
use std::ffi::OsString;

use tensorboard_events::Value;

use crate::program::comparison::{tensors, write};
use crate::program::support::{Place, Seen, events, photo, picture, root, weights};
#[cfg(feature = "libtorch")]
use crate::program::support::{Ran, test_device};

/// Scalars by tag and step. The time that something took is no fact about the network.
fn scalars(seen: &[Seen]) -> BTreeMap<(String, i64), f64> {
    let scalar = |one: &Seen| match one.value {
        Value::Scalar(value) if !one.tag.starts_with("timings/") => {
            Some(((one.tag.clone(), one.step), f64::from(value)))
        }
        _ => None,
    };
    seen.iter().filter_map(scalar).collect()
}

/// The values of all images, texts and so on, as they are stored.
fn stored(seen: &[Seen]) -> Vec<(String, i64, String)> {
    let others = seen
        .iter()
        .filter(|one| !matches!(one.value, Value::Scalar(_)) && one.tag != "config");
    let mut stored: Vec<_> = others
        .map(|one| (one.tag.clone(), one.step, format!("{:?}", one.value)))
        .collect();
    stored.sort();
    stored
}

/// The largest difference of two pictures' levels. libtorch's products are not the same to the last bit wherever in
/// memory their factors lie: a projection between two levels may take either.
fn levels_apart(both: [&[Seen]; 2], tag: &str, step: i64) -> u8 {
    let [one, other] = both.map(|seen| picture(seen, tag, step).3);
    assert_eq!(one.len(), other.len());
    let apart = one.iter().zip(&other).map(|(a, b)| a.abs_diff(*b));
    apart.max().unwrap_or_default()
}

/// That two runs logged the same, with scalars of nearly the same values.
#[track_caller]
fn is_same(one: &[Seen], other: &[Seen], apart: f64) {
    let (one_scalars, other_scalars) = (scalars(one), scalars(other));
    let tags = |scalars: &BTreeMap<(String, i64), f64>| scalars.keys().cloned().collect::<Vec<_>>();
    assert_eq!(tags(&one_scalars), tags(&other_scalars));
    for ((tag, step), value) in &one_scalars {
        let found = other_scalars[&(tag.clone(), *step)];
        let is_near = (value - found).abs() <= apart * value.abs().max(1.0)
            || (value.is_nan() && found.is_nan())
            || value.to_bits() == found.to_bits();
        assert!(is_near, "{tag} at step {step}: {value} and {found}");
    }
    let (one_stored, other_stored) = (stored(one), stored(other));
    assert_eq!(one_stored.len(), other_stored.len());
    for (stored, found) in one_stored.iter().zip(&other_stored) {
        let (tag, step, _) = stored;
        let is_same = stored == found
            || tag.starts_with("pca/") && levels_apart([one, other], tag, *step) <= 1;
        assert!(is_same, "{tag} at step {step}");
    }
}

/// A run whose grids are made on `side`.
#[cfg(feature = "libtorch")]
fn rendered(place: &Place, side: &str, line: &str, args: &[OsString]) -> Ran {
    let ran = place.run_with(line, args, |command| {
        command.env("VGGSCOPE_RENDER", side);
    });
    ran.ok()
}

fn args() -> Vec<OsString> {
    let weights = format!("--weights={}", weights().display());
    vec![weights.into(), root().join("photos").into_os_string()]
}

/// Grids that the device draws are those of the host to the last level, and what is measured of the maps is the same
/// but for rounding; all of a step is read at once.
#[test]
#[cfg(feature = "libtorch")]
fn a_device_renders_what_the_host_renders() {
    for (flags, copies) in [
        ("--layers all", "1.0 copies"),
        (
            "--layers conv2_1,pool3 --batch 3 --range layer --colormap diverging --min-tile 60",
            "1.0 copies",
        ),
        (
            "--layers conv1_2,relu5_1 --range fixed=-0.5,1 --maps 2,0 --colormap viridis",
            "1.0 copies",
        ),
        (
            "--layers pool5 --resize 32 --crop 32 --maps 2 --batch 2",
            "1.0 copies",
        ),
    ] {
        let place = Place::new();
        for side in ["host", "device"] {
            let line = format!("images --run {side} --timings {flags}");
            let ran = rendered(&place, side, &line, &args());
            if side == "device" {
                assert!(ran.out().contains(copies), "{flags}: {}", ran.out());
            }
        }
        let [host, device] = ["runs/host", "runs/device"].map(|run| events(&place.path(run)));
        is_same(&host, &device, 2e-6);
    }
}

/// The same of changes, similarities, dead channels and the pictures over time of checkpoints, of which the last has a
/// channel that is NaN.
#[test]
#[cfg(feature = "libtorch")]
fn a_device_measures_and_draws_changes_as_the_host_does() {
    let place = Place::new();
    let mut now = tensors();
    for step in 0..4 {
        let kernels = now.get_mut("features.10.weight").unwrap();
        kernels.1.iter_mut().for_each(|value| *value *= 1.1);
        if step == 3 {
            now.get_mut("features.12.bias").unwrap().1[0] = f32::NAN;
        }
        write(&place, &format!("c/model_{step}.safetensors"), &now);
    }
    let probes = ["--images".into(), root().join("photos").into_os_string()];
    let layers = "conv1_1,conv3_2,relu3_3,pool5";
    for side in ["host", "device"] {
        for (run, flags) in [
            ("a", "--change"),
            ("b", "--change=previous --range map --batch 2"),
        ] {
            let flags = format!("--layers {layers} --run {side}-{run} {flags}");
            rendered(&place, side, &format!("checkpoints c {flags}"), &probes);
        }
    }
    for run in ["a", "b"] {
        let [host, device] =
            ["host", "device"].map(|side| events(&place.path(&format!("runs/{side}-{run}"))));
        is_same(&host, &device, 2e-6);
    }
}

/// What a step is made of does not depend on how many are computed at once.
#[test]
fn a_batch_of_eight_makes_the_same_event_file() {
    let place = Place::new();
    for number in 0..9 {
        let name = ["astronaut.png", "chelsea.png", "coffee.png"][number % 3];
        place.put(&photo(name), &format!("in/{number}.png"));
    }
    let weights = format!("--weights={}", weights().display());
    for (run, flags) in [("one", "--batch 1"), ("eight", "--batch 8")] {
        let line = format!(
            "images in --layers conv1_1,relu2_2,pool3 --range fixed=-2,2 --run {run} {flags}"
        );
        place.run(&line, &[&weights]).ok();
    }
    let [one, eight] = ["runs/one", "runs/eight"].map(|run| events(&place.path(run)));
    is_same(&one, &eight, 1e-5);
}

/// bfloat16 has 8 bits: the pictures are nearly the same, and every description says so.
#[test]
fn reduced_numbers_are_said() {
    let place = Place::new();
    let line = "images --layers conv1_1,relu3_3 --range fixed=-1,3 --run";
    place.run(&format!("{line} full"), &args()).ok();
    place
        .run(&format!("{line} bf16 --precision bf16"), &args())
        .ok();
    let [full, bf16] = ["runs/full", "runs/bf16"].map(|run| events(&place.path(run)));
    let tag = "feature_maps/15_relu3_3";
    let described = |seen: &[Seen]| {
        let first = seen.iter().find(|one| one.tag == tag && one.step == 0);
        first
            .unwrap()
            .description
            .contains("* computed in bfloat16")
    };
    assert!(described(&bf16) && !described(&full));
    let config = std::fs::read_to_string(place.path("runs/bf16/config.toml")).unwrap();
    assert!(config.contains("precision = \"bf16\""), "{config}");
    let [full_levels, bf16_levels] = [&full, &bf16].map(|seen| picture(seen, tag, 0).3);
    assert_ne!(full_levels, bf16_levels);
    let [full, bf16] =
        [&full, &bf16].map(|seen| scalars(seen)[&("range/15_relu3_3/max".to_owned(), 0)]);
    assert!((full - bf16).abs() < 0.05 * full, "{full} and {bf16}");
}

/// Convolutions without biases compute in the same numbers.
#[test]
fn networks_without_biases_compute_in_reduced_numbers() {
    let place = Place::new();
    let mut parameters = tensors();
    parameters.retain(|name, _| name.rsplit('.').next() != Some("bias"));
    write(&place, "no_bias.safetensors", &parameters);
    let args = [
        "--weights=no_bias.safetensors".into(),
        photo("coffee.png").into_os_string(),
    ];
    let line = "images --scalars all --layers conv1_1,conv2_1 --run";
    let [full, half] = [("full", "f32"), ("half", "f16")].map(|(run, dtype)| {
        place
            .run(&format!("{line} {run} --precision {dtype}"), &args)
            .ok();
        scalars(&events(&place.path(&format!("runs/{run}"))))
    });
    let tag = ("range/05_conv2_1/std".to_owned(), 0);
    let (full, half) = (full[&tag], half[&tag]);
    assert!(
        (full - half).abs() > 0.0 && (full - half).abs() < 0.01 * full,
        "{full} and {half}"
    );
}

/// Two devices share the images, one after the other; the steps stay in order.
#[test]
#[cfg(feature = "libtorch")]
fn several_devices_share_the_images() {
    let place = Place::new();
    let line = "images --layers conv1_1,pool2 --range fixed=-2,2 --run";
    place.run(&format!("{line} one"), &args()).ok();
    let devices = format!("--device={},flex", test_device());
    let two = [args(), vec![devices.clone().into()]].concat();
    place.run(&format!("{line} two"), &two).ok();
    let [one, two] = ["runs/one", "runs/two"].map(|run| events(&place.path(run)));
    let (one, two) = (scalars(&one), scalars(&two));
    assert_eq!(one.len(), two.len());
    for ((tag, step), value) in one {
        let other = two[&(tag.clone(), step)];
        let apart = (value - other).abs();
        assert!(
            apart < 1e-3 * value.abs().max(1.0),
            "{tag} at {step}: {value} and {other}"
        );
    }
    place.put(&weights(), "c/model_0.safetensors");
    place.put(&weights(), "c/model_1.safetensors");
    let probes = [
        "--images".into(),
        root().join("photos").into_os_string(),
        devices.into(),
    ];
    place
        .run(
            "checkpoints c --scalars all --layers conv1_1,relu2_2 --run three",
            &probes,
        )
        .ok();
    let seen = scalars(&events(&place.path("runs/three")));
    let cosine = seen[&("similarity/08_relu2_2/cosine_to_previous".to_owned(), 1)];
    assert!((cosine - 1.0).abs() < 1e-6, "{cosine}");
}

#[test]
fn what_devices_cannot_do_is_refused() {
    let place = Place::new();
    let data = [args(), vec!["--images".into(), photo("coffee.png").into()]].concat();
    for (line, part) in [
        ("images --device flex,flex", "flex is there twice"),
        ("images --device auto,flex", "auto is one device"),
        ("images --device flex,gpu", "unknown device \"gpu\""),
        ("images --device libtorch:cuda:99,flex", "libtorch:cuda:99"),
        ("images --precision f64", "f32, tf32, bf16, f16"),
        ("train --device flex,cpu", "a training runs on one device"),
        (
            "train --device flex --precision bf16",
            "a training computes in float32",
        ),
    ] {
        let args = if line.starts_with("train") {
            &data
        } else {
            &args()
        };
        let ran = place.run(line, args);
        assert_ne!(ran.code(), 0, "{line}");
        assert!(ran.err().contains(part), "{line}: {}", ran.err());
        assert!(!place.path("runs").exists(), "{line}");
    }
}

/// Where feature maps become grids is a variable, for tests and measurements.
#[test]
fn a_place_that_cannot_render_is_refused() {
    let place = Place::new();
    for (value, part) in [
        ("device", "flex does not render"),
        (
            "gpu",
            "VGGSCOPE_RENDER is \"gpu\", expected auto, device or host",
        ),
    ] {
        let ran = place.run_with("images --device flex", &args(), |command| {
            command.env("VGGSCOPE_RENDER", value);
        });
        ran.fails(1, &[part]);
        assert!(!place.path("runs").exists());
    }
}

/// TF32 is of NVIDIA's GPUs.
#[test]
fn tf32_elsewhere_changes_nothing_and_is_said() {
    let place = Place::on_cpu();
    let ran = place
        .run("images --run a --layers conv1_1 --precision tf32", &args())
        .ok();
    assert!(ran.err().contains("tf32 changes nothing"), "{}", ran.err());
}
