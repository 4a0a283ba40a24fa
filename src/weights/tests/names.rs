//! Wrappers, prefixes and naming schemes.

use super::*;
use crate::weights::dtype::DType;
use crate::weights::tensor::Tensor;
use proptest::prelude::*;

fn tensors<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Entry> {
    let entries = names.into_iter().map(|name| {
        let shape = if name.contains("weight") {
            vec![2, 2, 3, 3]
        } else {
            vec![2]
        };
        Entry::new(name.to_owned(), Tensor::unreadable(DType::F32, shape))
    });
    entries.collect()
}

fn root(names: &[&str]) -> Option<Root> {
    let found = find(&tensors(names.iter().copied()), None).unwrap();
    found.map(|found| found.root)
}

fn prefix(names: &[&str]) -> Result<Option<String>, Vec<String>> {
    under(names, None)
}

fn under(names: &[&str], key: Option<&str>) -> Result<Option<String>, Vec<String>> {
    let found = find(&tensors(names.iter().copied()), key);
    found.map(|found| found.map(|found| found.root.prefix))
}

#[test]
fn a_key_chooses() {
    let names = [
        "student.net.features.0.weight",
        "teacher.net.features.0.weight",
    ];
    assert_eq!(
        under(&names, Some("teacher")),
        Ok(Some("teacher.net.".into()))
    );
    assert_eq!(
        under(&names, Some("teacher.net.")),
        Ok(Some("teacher.net.".into()))
    );
    assert_eq!(under(&names, Some("teach")), Ok(None));
    // The key holds against a usual prefix.
    let names = ["model.features.0.weight", "ema.features.0.weight"];
    assert_eq!(under(&names, Some("ema")), Ok(Some("ema.".into())));
}

#[test]
fn an_average_is_not_taken_for_the_network_and_the_others_are_known() {
    for average in ["net_ema", "ema_net", "averaged", "swa.module", "ema.shadow"] {
        let other = format!("{average}.features.0.weight");
        let found = find(&tensors(["net.features.0.weight", &other]), None);
        let found = found.unwrap().unwrap();
        assert_eq!(found.root.prefix, "net.");
        assert_eq!(found.others, [format!("{average}.")]);
    }
    assert_eq!(prefix(&["ema.features.0.weight"]), Ok(Some("ema.".into())));
}

#[test]
fn wrappers_between_the_layers_come_off() {
    for (raw, before) in [
        ("module.features.module.0.weight", "module."),
        ("features._orig_mod.module.0.weight", ""),
        ("feature.0.weight", ""),
        ("_features.0.weight", ""),
        ("features._fsdp_wrapped_module.0.weight_orig", ""),
    ] {
        let found = root(&[raw]).unwrap();
        assert_eq!(found.prefix, before, "{raw}");
        let name = found.name(raw).unwrap();
        assert!(name.starts_with("features.0.weight"), "{name}");
    }
}

#[test]
fn lpips_slices_and_the_papers_names_are_torchvisions_layers() {
    let found = root(&["net.slice1.0.weight", "net.slice2.5.weight"]).unwrap();
    assert_eq!(
        found.name("net.slice2.5.weight").unwrap(),
        "features.5.weight"
    );
    let names = [
        "conv1_1.weight",
        "conv1_2.weight",
        "conv2_1.weight",
        "conv2_2.weight",
        "conv3_1.weight",
    ];
    let found = root(&names).unwrap();
    let mapped = names.map(|name| found.name(name).unwrap());
    assert_eq!(
        mapped.map(|name| name.trim_matches(|c: char| !c.is_ascii_digit()).to_owned()),
        ["0", "2", "5", "7", "10"]
    );
    let found = root(&["a.conv1_1.weight", "a.bn1_1.weight", "a.conv2_1.weight"]).unwrap();
    assert_eq!(found.name("a.conv2_1.weight").unwrap(), "features.4.weight");
    assert_eq!(found.name("a.bn2_1.weight").unwrap(), "features.5.weight");
    assert_eq!(found.name("a.fc6.weight").unwrap(), "fc6.weight");
}

#[test]
fn ssds_other_numbered_layers_are_no_network() {
    let mut all = tensors([
        "vgg.0.weight",
        "vgg.2.weight",
        "vgg.5.weight",
        "vgg.7.weight",
    ]);
    all.extend(tensors([
        "loc.0.weight",
        "loc.1.weight",
        "loc.2.weight",
        "loc.3.weight",
    ]));
    for tensor in &mut all[4..] {
        tensor.tensor.shape = vec![16, 512, 3, 3];
    }
    assert_eq!(find(&all, None).unwrap().unwrap().root.prefix, "vgg.");
}

#[test]
fn an_unusual_prefix_is_taken_if_it_is_the_only_one() {
    let names = ["net.features.0.weight", "optimizer.state.0.exp_avg"];
    assert_eq!(prefix(&names), Ok(Some("net.".into())));
    let names = ["state_dict.backbone.features.0.weight"];
    assert_eq!(prefix(&names), Ok(Some("state_dict.backbone.".into())));
}

#[test]
fn the_usual_prefix_wins_over_a_copy() {
    let names = ["model.features.0.weight", "model_copy.features.0.weight"];
    assert_eq!(prefix(&names), Ok(Some("model.".into())));
}

#[test]
fn two_that_are_as_good_are_an_error() {
    let names = ["student.features.0.weight", "teacher.features.0.weight"];
    assert_eq!(
        prefix(&names),
        Err(vec!["student.".into(), "teacher.".into()])
    );
    let names = ["model.features.0.weight", "state_dict.features.0.weight"];
    assert!(prefix(&names).is_err());
}

#[test]
fn part_of_a_word_is_no_prefix() {
    assert_eq!(prefix(&["my_features.0.weight"]), Ok(None));
}

#[test]
fn layers_alone_are_recognized_by_their_numbers() {
    let vgg11 = ["0.weight", "3.weight", "6.weight", "8.weight", "0.bias"];
    let root = root(&vgg11).unwrap();
    assert_eq!(root.name("3.weight").unwrap(), "features.3.weight");
    assert_eq!(root.raw("features.3.weight"), "3.weight");
    assert_eq!(root.name("fc.weight"), None);

    let resnet = ["layer1.0.weight", "layer1.1.weight", "layer1.2.weight"];
    assert_eq!(prefix(&resnet), Ok(None));
}

proptest! {
    /// Any number of the usual wrappers and prefixes, in any order, comes off again.
    #[test]
    fn usual_prefixes_come_off(parts in proptest::collection::vec(0..USUAL.len(), 0..6)) {
        let wrapped: String = parts.iter().flat_map(|&part| [USUAL[part], "."]).collect();
        let raw = format!("{wrapped}features.0.weight");
        let root = root(&[raw.as_str()]).unwrap();
        prop_assert_eq!(root.name(&raw).unwrap(), "features.0.weight");
        prop_assert_eq!(root.raw("features.0.weight"), raw);
        prop_assert!(is_usual(&root.prefix));
    }
}
