//! Weights files as people have them, in all commands. What is read of each is checked in
//! `weights.rs`; here, what the commands make of it.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use vggscope::weights::WeightsFile;

use crate::program::support::{Place, events, photo, picture, root, steps, tags};

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/weights").join(name)
}

/// `COMMAND FLAGS --weights FIXTURE`, over one photo in 32 x 32 pixels.
fn line(flags: &str, file: &Path) -> String {
    // Only what is run is resized.
    let is_run = !flags.starts_with("layers");
    let resize = if is_run { "--resize 32" } else { "" };
    format!("{flags} {resize} --crop 32 --weights {}", file.display())
}

fn crops() -> [PathBuf; 2] {
    [root().join("tests/fixtures/crops"), photo("chelsea.png")]
}

fn train(place: &Place, flags: &str, file: &Path) -> crate::program::support::Ran {
    let [data, image] = crops();
    let flags = format!("train --steps 1 --batch-size 8 --layers conv1_1 {flags}");
    place.run(
        &format!("{} --images", line(&flags, file)),
        &[image.into_os_string(), "--".into(), data.into_os_string()],
    )
}

#[test]
fn images_and_layers_agree_on_every_kind() {
    let place = Place::new();
    for (name, arch, last) in [
        ("scheduler.pth", "vgg16", "pool1"),
        ("float_tensor.pth", "vgg16", "pool1"),
        ("pruned.pth", "vgg16", "pool1"),
        ("weight_norm.pth", "vgg16", "pool1"),
        ("parametrizations.pth", "vgg16", "pool1"),
        ("module.pth", "vgg11", "pool5"),
        ("module_under_key.pth", "vgg11", "pool5"),
        ("parallel_features.pth", "vgg11", "pool5"),
        ("lpips.pth", "vgg11", "pool5"),
        ("paper_names.pth", "vgg11", "pool5"),
        ("timm.safetensors", "vgg11", "pool5"),
        ("no_bias.pth", "vgg11_bn", "pool5"),
        ("ssd.pth", "vgg16", "pool5"),
    ] {
        let file = fixture(name);
        let ran = place.run(&line("layers", &file), &[""; 0]).ok();
        let (table, said) = (ran.out(), ran.err());
        assert!(
            table.starts_with(&format!("{arch}, input 3 x 32 x 32\n")),
            "{name}: {table}"
        );
        let listed: Vec<&str> = table.lines().skip(2).collect();
        assert!(listed.last().unwrap().contains(last), "{name}: {table}");
        let run = format!("images --run {name} --no-kernels");
        let ran = place.run(&line(&run, &file), &[photo("chelsea.png")]).ok();
        let weights = WeightsFile::open(&file).unwrap();
        let prefix = weights.prefix().trim_end_matches('.');
        let under = format!("the network is the one under `{prefix}`");
        for said in [said, ran.err()] {
            assert_eq!(said.contains(&under), !prefix.is_empty(), "{name}: {said}");
            let goes_on = said.contains("pooling is torchvision's");
            assert_eq!(goes_on, name == "ssd.pth", "{said}");
        }
        let seen = events(&place.path("runs").join(name));
        let shown = tags(&seen);
        let maps = shown.iter().filter(|tag| tag.starts_with("feature_maps/"));
        assert_eq!(maps.count(), listed.len(), "{name}: {shown:?}");
    }
}

#[test]
fn a_note_is_one_line_whatever_a_name_holds() {
    let place = Place::new();
    let file = place.path("a\nb.pth");
    std::fs::copy(fixture("lightning.pth"), &file).unwrap();
    let said = place.run("layers --weights", &[file]).ok().err();
    assert!(
        said.contains("a\\nb.pth: the network is the one under"),
        "{said}"
    );
    assert!(
        !said.lines().any(|line| line.starts_with("b.pth")),
        "{said}"
    );
}

#[test]
fn all_means_the_layers_that_are_there() {
    let place = Place::new();
    let file = fixture("state_dict.pth");
    let image = [photo("chelsea.png")];
    let ran = place.run(&line("images --run a", &file), &image).ok();
    assert!(ran.err().contains("up to pool1"), "{}", ran.err());
    for command in ["images --run b", "layers"] {
        let image: &[PathBuf] = if command == "layers" { &[] } else { &image };
        let flags = format!("{command} --layers conv1_2,conv3_1");
        place
            .run(&line(&flags, &file), image)
            .fails(2, &["conv1_2,conv3_1", "up to pool1"]);
    }
    assert!(!place.path("runs/b").exists());
    place
        .run(&line("images --run c --layers conv*", &file), &image)
        .ok();
    let shown = tags(&events(&place.path("runs/c")));
    assert!(
        shown.contains(&"feature_maps/02_conv1_2".to_owned()),
        "{shown:?}"
    );
    train(&place, "--run d", &file).fails(1, &["features.5.weight", "whole network"]);
    assert!(!place.path("runs/d").exists());
}

/// Input and kernels are gray, and the input is Pillow's luma of what a color network is shown.
#[test]
fn a_network_of_gray_images_is_fed_luma() {
    let place = Place::new();
    let image = [photo("chelsea.png")];
    for name in ["gray", "state_dict"] {
        let file = fixture(&format!("{name}.pth"));
        let flags = format!("images --run {name}");
        place.run(&line(&flags, &file), &image).ok();
    }
    let [gray, color] = ["gray", "state_dict"].map(|name| events(&place.path("runs").join(name)));
    let (_, _, channels, levels) = picture(&gray, "input", 0);
    let (_, _, _, colors) = picture(&color, "input", 0);
    assert_eq!(channels, 1);
    let (colors, _) = colors.as_chunks::<3>();
    let luma = colors.iter().map(|rgb| {
        let [r, g, b] = rgb.map(u32::from);
        u8::try_from((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).unwrap()
    });
    assert_eq!(levels, luma.collect::<Vec<_>>());
    assert_eq!(picture(&gray, "kernels/00_conv1_1", 0).2, 1);
    let about = gray.iter().find(|one| one.tag == "input").unwrap();
    assert!(
        about.description.contains("luma / 255, mean 0.449"),
        "{}",
        about.description
    );
}

#[test]
fn a_network_that_takes_no_pictures_is_refused_before_anything_is_written() {
    let place = Place::new();
    let file = fixture("four_channels.pth");
    let reason = ["four_channels.pth", "4 channels", "3 (color) or 1 (gray)"];
    place
        .run(&line("images", &file), &[photo("chelsea.png")])
        .fails(1, &reason);
    place
        .run(&line("layers", &file), &[""; 0])
        .fails(2, &reason);
    train(&place, "", &file).fails(1, &reason);
    let folder = place.put(&file, "c/epoch_1.pth");
    place
        .run(
            &format!("checkpoints {} --images", folder.display()),
            &[photo("chelsea.png")],
        )
        .fails(1, &["epoch_1.pth", "4 channels"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn a_key_chooses_the_network_in_every_command() {
    let place = Place::new();
    let file = fixture("net_and_ema.pth");
    let image = [photo("chelsea.png")];
    let ran = place.run(&line("images --run a", &file), &image).ok();
    assert!(
        ran.err().contains("`net_ema.module`") && ran.err().contains("--weights-key"),
        "{}",
        ran.err()
    );
    let key = "--weights-key net_ema";
    let ran = place.run(&line(&format!("images --run b {key}"), &file), &image);
    assert!(!ran.ok().err().contains("several networks"));
    let kernels = |run: &str| picture(&events(&place.path(run)), "kernels/00_conv1_1", 0).3;
    assert_ne!(kernels("runs/a"), kernels("runs/b"));
    let config = std::fs::read_to_string(place.path("runs/b/config.toml")).unwrap();
    assert!(config.contains("weights-key = \"net_ema\""), "{config}");
    place
        .run("images --run again --config runs/b/config.toml", &[""; 0])
        .ok();
    assert_eq!(kernels("runs/again"), kernels("runs/b"));

    place.put(&file, "c/epoch_1.pth");
    place
        .run(
            &format!("checkpoints c --range map --resize 32 --crop 32 --run c {key} --images"),
            &image,
        )
        .ok();
    let seen = events(&place.path("runs/c"));
    assert_eq!(picture(&seen, "kernels/00_conv1_1", 1).3, kernels("runs/b"));
    train(&place, &format!("--run t {key}"), &file).ok();
    assert!(kernels("runs/t") == kernels("runs/b"));
    place
        .run(&line(&format!("layers {key}"), &file), &[""; 0])
        .ok();
    place
        .run(&line("layers --weights-key swa", &file), &[""; 0])
        .fails(2, &["`swa`", "`net`, `net_ema.module`"]);
    let two = fixture("two_networks.pth");
    place
        .run(&line("images", &two), &image)
        .fails(1, &["`student`, `teacher`", "--weights-key"]);
}

#[test]
fn a_folder_may_mix_kinds() {
    let place = Place::new();
    let kinds = [
        "parallel_features.pth",
        "caffe_classifier.pth",
        "lpips.pth",
        "module.pth",
    ];
    for (kind, step) in kinds.iter().zip(1..) {
        place.put(&fixture(kind), &format!("c/epoch_{step}.pth"));
    }
    place.put(&fixture("gray.pth"), "c/epoch_5.pth");
    let run =
        "checkpoints c --resize 32 --crop 32 --layers conv1_1 --run r --on-error skip --images";
    let ran = place.run(run, &[photo("chelsea.png")]);
    assert_eq!(ran.code(), 1, "{}", ran.err());
    assert!(ran.err().contains("epoch_5.pth"), "{}", ran.err());
    let seen = events(&place.path("runs/r"));
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), [1, 2, 3, 4]);
}

/// The VGG11 of `zip.pth` with another classifier.
fn with_classifier(place: &Place, name: &str, linears: Linears) -> PathBuf {
    let file = WeightsFile::open(fixture("zip.pth")).unwrap();
    let mut tensors: Vec<Tensor> = file
        .entries()
        .filter(|entry| entry.name().starts_with("features."))
        .map(|entry| {
            let values = file.read(entry.name()).unwrap();
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (
                entry.name().to_owned(),
                entry.shape().to_vec(),
                bytes.collect(),
            )
        })
        .collect();
    for (name, [outputs, inputs]) in linears {
        let zeros = |count: usize| vec![0; 4 * count];
        tensors.push((
            format!("{name}.weight"),
            vec![*outputs, *inputs],
            zeros(outputs * inputs),
        ));
        tensors.push((format!("{name}.bias"), vec![*outputs], zeros(*outputs)));
    }
    write(place, name, &tensors)
}

/// Names of linear layers, and `[outputs, inputs]` of each.
type Linears = &'static [(&'static str, [usize; 2])];

/// Name, shape and bytes.
type Tensor = (String, Vec<usize>, Vec<u8>);

fn write(place: &Place, name: &str, tensors: &[Tensor]) -> PathBuf {
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    place.write(name, safetensors::serialize(views, None).unwrap())
}

/// The crops have three classes.
#[test]
fn a_classifier_is_kept_where_it_fits_and_else_replaced_with_the_truth() {
    let place = Place::new();
    for name in [
        "parallel_features",
        "caffe_classifier",
        "paper_names",
        "timm",
        "module",
    ] {
        let file = fixture(&format!("{name}.pth"));
        let ran = train(&place, &format!("--run {name}"), &file).ok();
        assert!(!ran.err().contains("is new"), "{name}: {}", ran.err());
    }
    let others: [(&str, Linears, &str); 4] = [
        ("none", &[], "the file has none"),
        (
            "cifar",
            &[
                ("classifier.0", [5, 4]),
                ("classifier.3", [5, 5]),
                ("classifier.6", [3, 5]),
            ],
            "takes 4 inputs, where this one takes 196",
        ),
        ("one", &[("classifier", [3, 4])], "weights of [3, 4]"),
        (
            "two",
            &[("classifier.0", [5, 196]), ("classifier.3", [3, 5])],
            "weights of [5, 196], [3, 5]",
        ),
    ];
    for (name, linears, says) in others {
        let file = with_classifier(&place, &format!("{name}.safetensors"), linears);
        let ran = train(&place, &format!("--run {name} --hidden 7"), &file).ok();
        let new = ran
            .err()
            .lines()
            .any(|line| line.contains("the classifier is new") && line.contains(says));
        assert!(new, "{name}: {}", ran.err());
        place
            .run(
                &line(&format!("images --run i{name}"), &file),
                &[photo("chelsea.png")],
            )
            .ok();
    }
}

/// Networks without biases, and of gray images, are trained, saved and resumed.
#[test]
fn a_network_of_another_form_is_trained_and_resumed() {
    let place = Place::new();
    let gray = with_gray_input(&place);
    for (name, hidden, file) in [
        ("no_bias", "--hidden 7", fixture("no_bias.pth")),
        ("gray", "", gray),
    ] {
        train(&place, &format!("--run {name} {hidden}"), &file).ok();
        place
            .run(
                &format!("train --config runs/{name}/config.toml --resume --steps 2"),
                &[""; 0],
            )
            .ok();
        let saved = place.path(&format!("runs/{name}/checkpoints/step_000002.safetensors"));
        let saved = WeightsFile::open(saved).unwrap();
        assert_eq!(saved.get("features.0.bias").is_some(), name == "gray");
        let channels = saved.get("features.0.weight").unwrap().shape()[1];
        assert_eq!(channels, if name == "gray" { 1 } else { 3 });
    }
}

/// The VGG11 of `zip.pth` with the red part of its first kernels alone.
fn with_gray_input(place: &Place) -> PathBuf {
    let file = WeightsFile::open(fixture("zip.pth")).unwrap();
    let mut tensors = Vec::new();
    for entry in file.entries() {
        let (mut shape, mut values) = (entry.shape().to_vec(), file.read(entry.name()).unwrap());
        if entry.name() == "features.0.weight" {
            values = values
                .chunks(27)
                .flat_map(|kernel| kernel[..9].to_vec())
                .collect();
            shape[1] = 1;
        }
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        tensors.push((entry.name().to_owned(), shape, bytes));
    }
    write(place, "gray.safetensors", &tensors)
}
