//! What changed from step to step.

use std::collections::BTreeMap;
use std::ffi::OsString;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use tensorboard_events::Value;

use crate::program::support::{Place, Seen, events, photo, picture, root, steps, weights};

/// The tensors of the narrow VGG16, as they are edited.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

pub(crate) fn tensors() -> Tensors {
    let bytes = std::fs::read(weights()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |(name, view): (String, TensorView<'_>)| {
        let (values, _) = view.data().as_chunks::<4>();
        let values = values
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect();
        (name, (view.shape().to_vec(), values))
    };
    file.tensors().into_iter().map(read).collect()
}

pub(crate) fn write(place: &Place, name: &str, tensors: &Tensors) {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (name, shape, bytes.collect())
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, (*shape).clone(), bytes);
        (name.as_str(), view.unwrap())
    });
    place.write(name, safetensors::serialize(views, None).unwrap());
}

/// Six checkpoints; from the fourth on `conv3_1` is doubled, filter 1 of `conv4_1` is 0 and kernel 2 is turned.
fn eventful() -> Place {
    let place = Place::on_cpu();
    let mut now = tensors();
    for step in 1..=6 {
        if step == 4 {
            now.get_mut("features.10.weight")
                .unwrap()
                .1
                .iter_mut()
                .for_each(|value| *value *= 2.0);
            now.get_mut("features.17.weight").unwrap().1[45..90].fill(0.0);
            now.get_mut("features.17.bias").unwrap().1[1] = -1.0;
            now.get_mut("features.0.weight").unwrap().1[54..].reverse();
        }
        write(&place, &format!("ckpts/epoch_{step}.safetensors"), &now);
    }
    place
}

fn args(flags: &[&str], images: bool) -> Vec<OsString> {
    let mut args: Vec<OsString> = flags.iter().map(Into::into).collect();
    args.extend(["--images".into(), photo("chelsea.png").into()]);
    if images {
        let compared = root().join("tests/fixtures/crops/val");
        args.extend(["--compare-images".into(), compared.into()]);
    }
    args
}

/// The values of a scalar by step.
fn scalar(seen: &[Seen], tag: &str) -> Vec<(i64, f32)> {
    let of_tag = seen.iter().filter(|one| one.tag == tag);
    let value = |one: &Seen| match one.value {
        Value::Scalar(value) => (one.step, value),
        _ => panic!("{tag} is no scalar"),
    };
    of_tag.map(value).collect()
}

fn text(seen: &[Seen], tag: &str) -> String {
    let one = seen.iter().find(|one| one.tag == tag);
    match one.map(|one| &one.value) {
        Some(Value::Text(text)) => text.clone(),
        other => panic!("{tag}: {other:?}"),
    }
}

const SMALL: &str = "--resize 64 --crop 64 --layers conv1_1,relu3_1,relu4_1 --scalars all";

#[test]
fn what_happened_is_named_with_its_step() {
    let place = eventful();
    let ran = place
        .run(
            &format!("checkpoints ckpts --run a {SMALL}"),
            &args(&[], false),
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    for expected in [
        "conv3_1 at step 4: x 2.00",
        "zeroed: filter 1 of conv4_1 at step 4",
        "direction changed: kernel 2 of conv1_1 at step 4",
        "not active on your 1 probe image (too few to call dead: --compare-images) at step 6: relu4_1, channel 1, since step 4",
    ] {
        assert!(ran.out().contains(expected), "{expected}: {}", ran.out());
        assert!(text(&seen, "Overview/summary").contains(expected));
    }
    let relative = scalar(&seen, "weight_change/10_conv3_1/to_previous");
    assert_eq!(relative, [(2, 0.0), (3, 0.0), (4, 1.0), (5, 0.0), (6, 0.0)]);
    let from_first = scalar(&seen, "weight_change/10_conv3_1/to_first");
    assert_eq!(
        from_first,
        [(2, 0.0), (3, 0.0), (4, 1.0), (5, 1.0), (6, 1.0)]
    );
    let cosine = scalar(&seen, "similarity/11_relu3_1/cosine_to_first");
    assert_eq!(cosine[..2], [(2, 1.0), (3, 1.0)]);
    assert!(cosine[2].1 < 1.0 && cosine.len() == 5);
    let distance = scalar(&seen, "similarity/11_relu3_1/distance_to_previous");
    assert!(distance[2].1 > 0.5, "{distance:?}");
    assert_eq!(distance[3..], [(5, 0.0), (6, 0.0)]);
    for tag in [
        "evolution/18_relu4_1",
        "evolution/kernels",
        "health/18_relu4_1",
    ] {
        assert_eq!(steps(&seen, tag), [6], "{tag}");
        // What it is drawn from goes with it.
        let data = seen.iter().find(|one| one.tag == format!("{tag}.figure"));
        let Value::Data { plugin, strings } = &data.unwrap().value else {
            panic!("{tag}");
        };
        assert_eq!((plugin.as_str(), strings.len()), ("vggscope", 2));
        let names = str::from_utf8(&strings[0]).unwrap();
        assert!(
            names.contains(r#""columns":["1","2","3","4","5","6"]"#),
            "{names}"
        );
    }
    assert_eq!(steps(&seen, "kernels/change"), [2, 3, 4, 5, 6]);
    let dead = scalar(&seen, "health/18_relu4_1/inactive");
    assert!(dead[3].1 > dead[2].1, "{dead:?}");
}

/// From torch: a layer whose weights are NaN has NaN maps, all after it too, and is what it was at the next step.
#[test]
fn a_layer_that_is_nan_for_a_step_has_no_numbers_there() {
    let place = Place::on_cpu();
    let mut now = tensors();
    let kept = now["features.10.weight"].1.clone();
    for step in 1..=6 {
        let weights = &mut now.get_mut("features.10.weight").unwrap().1;
        weights.clone_from(&kept);
        if step == 4 {
            weights.fill(f32::NAN);
        }
        let classifier = now.get_mut("classifier.6.weight").unwrap();
        classifier.1.iter_mut().for_each(|value| *value *= 1.1);
        write(&place, &format!("ckpts/epoch_{step}.safetensors"), &now);
    }
    let line = "checkpoints ckpts --resize 64 --crop 64 --scalars all --json s.json --run";
    for (run, layers) in [("all", "conv1_1,relu3_1"), ("few", "conv1_1")] {
        let line = format!("{line} {run} --layers {layers} --fail-if change>9");
        let ran = place.run(&line, &args(&[], false)).ok();
        // 1.1^5: whatever layers are shown.
        let most = "changed most from step 1 to step 6: classifier.6 x 1.61, ";
        assert!(ran.out().contains(most), "{}", ran.out());
    }
    let pools = format!("{line} pools --layers pool1 --fail-if inactive>0.1");
    let ran = place.run(&pools, &args(&[], false));
    ran.fails(1, &["--fail-if inactive>0.1: no layer"]);
    let ran = place.run(
        &format!("{line} a --layers conv1_1,relu3_1 --fail-if nan>0"),
        &args(&[], false),
    );
    let ran = ran.fails(1, &["--fail-if nan>0: conv3_1 has 1"]);
    let expected = "weights of conv3_1 (step 4, finite again at step 5)";
    assert!(ran.out().contains(expected), "{}", ran.out());
    let seen = events(&place.path("runs/all"));
    for tag in ["cosine_to_first", "distance_to_previous"] {
        let values = scalar(&seen, &format!("similarity/11_relu3_1/{tag}"));
        let steps: Vec<i64> = values.iter().map(|(step, _)| *step).collect();
        let expected = if tag == "cosine_to_first" {
            &[2, 3, 5, 6][..]
        } else {
            &[2, 3, 6]
        };
        assert_eq!(steps, expected, "{tag}");
    }
    assert_eq!(steps(&seen, "range/11_relu3_1/max"), [1, 2, 3, 5, 6]);
    assert_eq!(steps(&seen, "range/11_relu3_1/nan"), [4]);
    assert_eq!(
        steps(&seen, "weight_change/10_conv3_1/to_previous"),
        [2, 3, 6]
    );
    assert_eq!(steps(&seen, "health/11_relu3_1/inactive"), [1, 2, 3, 5, 6]);
    let json = std::fs::read(place.path("s.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let layers = json["layers"].as_array().unwrap();
    let conv3_1 = layers
        .iter()
        .find(|layer| layer["layer"] == "conv3_1")
        .unwrap();
    assert_eq!(conv3_1["nan"], 1);
    assert_eq!(conv3_1["events"][0]["until"], 5);
}

#[test]
fn nothing_changed_is_said_too() {
    let place = Place::on_cpu();
    for step in 1..=3 {
        place.put(&weights(), &format!("ckpts/epoch_{step}.safetensors"));
    }
    let line = format!("checkpoints ckpts --run a {SMALL}");
    let ran = place.run(&line, &args(&[], false)).ok();
    let expected = "nothing changed: all 3 steps (1 to 3) hold equal weights";
    assert!(ran.out().contains(expected), "{}", ran.out());
    let ran = place
        .run(
            &format!("{line} --run b --compare off --range map"),
            &args(&[], false),
        )
        .ok();
    assert!(!ran.out().contains("nothing changed"));
    let seen = events(&place.path("runs/b"));
    let groups = [
        "similarity",
        "health",
        "evolution",
        "weight_change",
        "Overview",
    ];
    let mut compared = seen.iter().filter(|one| one.tag != "Overview/chelsea");
    assert!(compared.all(|one| !groups.contains(&one.tag.split('/').next().unwrap())));
}

/// A long run has 24 columns, and its strips are drawn before its end too.
#[test]
fn strips_of_a_long_run_are_drawn_as_it_goes_on() {
    let place = Place::on_cpu();
    for step in 1..=47 {
        place.put(&weights(), &format!("ckpts/epoch_{step}.safetensors"));
    }
    let line = format!("checkpoints ckpts --run a {SMALL}");
    place.run(&line, &args(&[], false)).ok();
    let seen = events(&place.path("runs/a"));
    // Every second step has a column: the 8th is step 15, the 16th step 31.
    for tag in ["evolution/18_relu4_1", "health/18_relu4_1"] {
        assert_eq!(steps(&seen, tag), [15, 31, 47], "{tag}");
    }
    assert_eq!(steps(&seen, "Overview/summary"), [47]);
    // Ended at a step that has its strips.
    place.write("ckpts/epoch_16.safetensors", "no weights");
    place
        .run(&format!("{line} --run b"), &args(&[], false))
        .fails(1, &["epoch_16.safetensors"]);
    let seen = events(&place.path("runs/b"));
    assert_eq!(steps(&seen, "evolution/18_relu4_1"), [15]);
    assert_eq!(steps(&seen, "Overview/summary"), [15]);
}

#[test]
fn changes_are_shown_against_the_first_the_previous_or_a_file() {
    let place = eventful();
    for (run, against) in [
        ("a", "first"),
        ("b", "previous"),
        ("c", "ckpts/epoch_1.safetensors"),
    ] {
        let line = format!("checkpoints ckpts --run {run} --change={against} {SMALL}");
        place.run(&line, &args(&[], false)).ok();
    }
    let [first, previous, file] = ["a", "b", "c"].map(|run| events(&place.path("runs").join(run)));
    let tag = "change/chelsea/11_relu3_1";
    assert_eq!(steps(&first, tag), [2, 3, 4, 5, 6]);
    assert_eq!(steps(&file, tag), [1, 2, 3, 4, 5, 6]);
    assert_eq!(steps(&first, "kernels/change"), [2, 3, 4, 5, 6]);
    // The middle of the colormap, in every tile as around it.
    let is_still = |seen: &[Seen], step| {
        let (.., pixels) = picture(seen, tag, step);
        let colors: std::collections::BTreeSet<&[u8]> = pixels.chunks(3).collect();
        colors.len() == 1
    };
    assert!(is_still(&first, 3) && !is_still(&first, 4) && !is_still(&first, 6));
    assert!(is_still(&previous, 3) && !is_still(&previous, 4) && is_still(&previous, 6));
    assert!(is_still(&file, 1) && picture(&file, tag, 5) == picture(&first, tag, 5));
}

#[test]
fn a_run_has_one_range_which_others_can_take() {
    let place = eventful();
    let line = format!("checkpoints ckpts {SMALL} --run");
    place.run(&format!("{line} a"), &args(&[], false)).ok();
    place
        .run(
            &format!("{line} b --range runs/a/ranges.toml --every 5"),
            &args(&[], false),
        )
        .ok();
    let [a, b] = ["runs/a", "runs/b"].map(|run| events(&place.path(run)));
    for step in [1, 6] {
        for tag in ["feature_maps/chelsea/00_conv1_1", "pca/chelsea/18_relu4_1"] {
            let is_same = picture(&a, tag, step) == picture(&b, tag, step);
            assert!(is_same, "{tag}, step {step}");
        }
    }
    // Equal maps have equal colors: nothing changes before step 4, nor after it.
    let colors = |step| picture(&a, "pca/chelsea/11_relu3_1", step);
    assert!(colors(1) == colors(3) && colors(3) != colors(4) && colors(4) == colors(6));
    let clipped = scalar(&a, "range/11_relu3_1/clipped");
    assert_eq!(clipped.len(), 6);
    assert!(
        clipped
            .iter()
            .all(|(_, fraction)| (0.0..0.02).contains(fraction)),
        "{clipped:?}"
    );
    // It also goes for images, one network of the sequence.
    let photo = photo("chelsea.png");
    let line = format!(
        "images --run c --weights ckpts/epoch_6.safetensors --range runs/a/ranges.toml {SMALL}"
    );
    place.run(&line, &[&photo]).ok();
    let c = events(&place.path("runs/c"));
    let of_c = picture(&c, "feature_maps/00_conv1_1", 0);
    assert!(of_c == picture(&a, "feature_maps/chelsea/00_conv1_1", 6));
    assert!(picture(&c, "pca/11_relu3_1", 0) == colors(6));
    place
        .run(
            "images --run d --layers conv5_3 --range runs/a/ranges.toml",
            &[&photo],
        )
        .fails(2, &["ranges.toml", "conv5_3", "--layers"]);
    place
        .run("images --run d --range nowhere.toml", &[&photo])
        .fails(2, &["nowhere.toml", "no such file"]);
}

#[test]
fn chosen_channels_stay_in_their_places() {
    let place = eventful();
    let line = format!("checkpoints ckpts {SMALL} --range map --compare off --run");
    place.run(&format!("{line} all"), &args(&[], false)).ok();
    for (run, maps) in [
        ("list", "2,0"),
        ("top", "top:2"),
        ("changed", "changed:1"),
        ("first", "first:2"),
    ] {
        place
            .run(&format!("{line} {run} --maps {maps}"), &args(&[], false))
            .ok();
    }
    place
        .run(&format!("{line} from --maps runs/list"), &args(&[], false))
        .ok();
    place
        .run(&format!("{line} short --maps 2"), &args(&[], false))
        .ok();
    let of_run = |run: &str| events(&place.path("runs").join(run));
    let tag = "feature_maps/chelsea/00_conv1_1";
    let (list, from) = (of_run("list"), of_run("from"));
    for step in 1..=6 {
        assert!(picture(&list, tag, step) == picture(&from, tag, step));
        assert!(picture(&of_run("first"), tag, step) == picture(&of_run("short"), tag, step));
    }
    // Tiles of 64 pixels with their number in the corner; below it they are those of the whole grid.
    let (width, _, _, shown) = picture(&list, tag, 1);
    let (all_width, _, _, all) = picture(&of_run("all"), tag, 1);
    assert_eq!((width, all_width), (131, 131));
    let tile = |pixels: &[u8], left: usize, top: usize| -> Vec<u8> {
        let rows = pixels.chunks(131).skip(top).take(64).skip(12);
        rows.flat_map(|row| row[left..left + 64].to_vec()).collect()
    };
    // Channel 2 was the first of the second row.
    assert!(tile(&shown, 1, 1) == tile(&all, 1, 66));
    assert!(tile(&shown, 66, 1) == tile(&all, 1, 1));
    place
        .run(&format!("{line} x --maps 1,99"), &args(&[], false))
        .fails(1, &["--maps", "99", "conv1_1", "3"]);
    place
        .run("images --run x --maps top:3", &[photo("chelsea.png")])
        .fails(2, &["--maps", "folder"]);
}

#[test]
fn representations_are_compared_over_images() {
    let place = eventful();
    let line = format!("checkpoints ckpts {SMALL} --run");
    for (run, features) in [("a", "flattened"), ("b", "mean-pooled")] {
        let flags = format!("{line} {run} --compare {features}");
        place.run(&flags, &args(&[], true)).ok();
    }
    let seen = events(&place.path("runs/a"));
    for reference in ["first", "previous", "last"] {
        for measure in ["cka", "procrustes", "neighbors"] {
            let of = |group: &str, end: &str| {
                let tag = format!("{group}/11_relu3_1/{measure}_to_{reference}{end}");
                scalar(&seen, &tag)
            };
            let values = of("similarity", "");
            let [low, high] = ["_low", "_high"].map(|end| of("intervals", end));
            assert_eq!(values.len(), if reference == "last" { 6 } else { 5 });
            for ((value, low), high) in values.iter().zip(low).zip(high) {
                assert!(
                    low.1 <= value.1 && value.1 <= high.1,
                    "{measure} to {reference}"
                );
            }
        }
    }
    let cka = scalar(&seen, "similarity/11_relu3_1/cka_to_first");
    assert!(
        (cka[0].1 - 1.0).abs() < 1e-4 && cka[2].1 < 1.0 - 1e-4,
        "{cka:?}"
    );
    let last = scalar(&seen, "similarity/11_relu3_1/cka_to_last");
    assert!(
        (last[5].1 - 1.0).abs() < 1e-4 && last[0].1 < 1.0 - 1e-4,
        "{last:?}"
    );
    for tag in ["similarity/steps/11_relu3_1", "similarity/layers"] {
        assert_eq!(steps(&seen, tag), [6], "{tag}");
    }
    let few = place.path("few");
    std::fs::create_dir(&few).unwrap();
    place.put(&photo("coffee.png"), "few/coffee.png");
    let mut few_args = args(&[], false);
    few_args.extend(["--compare-images".into(), few.into()]);
    place
        .run(&format!("{line} c"), &few_args)
        .fails(1, &["--compare-images", "1 images", "16", "256"]);
    assert!(!place.path("runs/c").exists());
}
