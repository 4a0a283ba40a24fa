//! Wrappers, prefixes and naming schemes.

use super::*;
use crate::weights::dtype::DType;
use crate::weights::tensor::Tensor;
use proptest::prelude::*;

fn tensors<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Entry> {
    let entries = names.into_iter().map(|name| {
        let shape = if name.contains("weight") {
            vec![3, 3, 3, 3]
        } else {
            vec![3]
        };
        Entry::new(name.to_owned(), Tensor::unreadable(DType::F32, shape))
    });
    entries.collect()
}

/// What is picked of networks in a file: `Err` has those that are as good.
fn find(
    entries: &[Entry],
    is_sorted: bool,
    key: Option<&str>,
) -> Result<Option<(Network, Vec<String>)>, Vec<String>> {
    match pick(networks(entries, is_sorted), key) {
        Ok(found) => Ok(found),
        Err(WeightsErrorKind::Ambiguous(all)) => Err(all),
        Err(WeightsErrorKind::NoKey { .. }) => Ok(None),
        Err(other) => panic!("{other}"),
    }
}

fn root(names: &[&str]) -> Option<Network> {
    let found = find(&tensors(names.iter().copied()), false, None).unwrap();
    found.map(|(network, _)| network)
}

fn prefix(names: &[&str]) -> Result<Option<String>, Vec<String>> {
    under(names, None)
}

fn under(names: &[&str], key: Option<&str>) -> Result<Option<String>, Vec<String>> {
    let found = find(&tensors(names.iter().copied()), false, key);
    found.map(|found| found.map(|(network, _)| network.prefix))
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

/// What follows a network's list may lie outside its wrapper.
#[test]
fn convolutions_behind_it_need_not_have_its_prefix() {
    let own = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
    let own = own.map(|at| format!("_checkpoint_wrapped_module.features.{at}.weight"));
    let mut entries = tensors(own.iter().map(String::as_str));
    let pointwise = Tensor::unreadable(DType::F32, vec![3, 5, 1, 1]);
    entries.push(Entry::new("features.40.weight".to_owned(), pointwise));
    let found = find(&entries, false, None).unwrap();
    let beyond = found.map(|(network, _)| network.layout.beyond);
    assert_eq!(beyond, Some(vec!["features.40".to_owned()]));
}

#[test]
fn an_average_is_not_taken_for_the_network_and_the_others_are_known() {
    for average in ["net_ema", "ema_net", "averaged", "swa.module", "ema.shadow"] {
        let other = format!("{average}.features.0.weight");
        let found = find(&tensors(["net.features.0.weight", &other]), false, None);
        let (network, others) = found.unwrap().unwrap();
        assert_eq!(network.prefix, "net.");
        assert_eq!(others, [format!("{average}.")]);
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
    let slices = ["1.0", "1.2", "2.5"].map(|name| format!("net.slice{name}.weight"));
    let found = root(&slices.each_ref().map(String::as_str)).unwrap();
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
    let parts = [
        "conv1_1.weight",
        "bn1_1.running_mean",
        "conv2_1.weight",
        "bn2_1.running_mean",
    ];
    let parts = parts.map(|part| format!("a.{part}"));
    let found = root(&parts.each_ref().map(String::as_str)).unwrap();
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
        tensor.tensor.shape = vec![16, 3, 3, 3];
    }
    assert_eq!(find(&all, false, None).unwrap().unwrap().0.prefix, "vgg.");
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

/// Convolutions of these names and widths, each behind the one before.
fn chain(names: &[String], widths: &[usize]) -> Vec<Entry> {
    let mut channels = 3;
    let entries = names.iter().zip(widths).map(|(name, &width)| {
        let shape = vec![width, channels, 3, 3];
        channels = width;
        Entry::new(
            format!("{name}.weight"),
            Tensor::unreadable(DType::F32, shape),
        )
    });
    entries.collect()
}

/// The convolutions of each block of a chain that is found, and how many there are beyond.
fn blocks_of(names: &[String], widths: &[usize]) -> Option<(Vec<usize>, usize)> {
    let (network, _) = find(&chain(names, widths), false, None).unwrap()?;
    let layout = network.layout;
    Some((layout.blocks, layout.beyond.len()))
}

fn indices(indices: &[usize]) -> Vec<String> {
    indices.iter().map(|at| format!("features.{at}")).collect()
}

// torchvision: [i for i, m in enumerate(vggN().features) if isinstance(m, Conv2d)]
const VGG16: &[usize] = &[0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];

const PUBLISHED: [usize; 5] = [64, 128, 256, 512, 512];

#[test]
fn every_member_is_recognized_by_its_names_or_its_number() {
    for (_, blocks) in crate::weights::BLOCKS {
        let (mut own, mut paper, mut published) = (Vec::new(), Vec::new(), Vec::new());
        for (block, (count, width)) in blocks.into_iter().zip(PUBLISHED).enumerate() {
            for number in 1..=count {
                own.push(format!("features.{}", own.len() * 2 + block));
                paper.push(format!("conv{}_{number}", block + 1));
                published.push(width);
            }
        }
        let numbered: Vec<String> = (1..=own.len()).map(|at| format!("conv{at}")).collect();
        let equal = vec![8; own.len()];
        for names in [own, paper, numbered] {
            for widths in [&equal, &published] {
                let whole = Some((blocks.to_vec(), 0));
                assert_eq!(blocks_of(&names, widths), whole, "{names:?}");
            }
        }
    }
}

#[test]
fn the_first_layers_are_known_by_names_or_widths() {
    for count in 1..VGG16.len() {
        let (blocks, _) = blocks_of(&indices(&VGG16[..count]), &[8; 13]).unwrap();
        assert_eq!(blocks.iter().sum::<usize>(), count);
        assert!(
            [2, 2, 3, 3, 3]
                .iter()
                .zip(&blocks)
                .all(|(all, here)| here <= all)
        );
    }
    let numbered: Vec<String> = (1..=9).map(|at| format!("conv{at}")).collect();
    let widths = [8, 8, 16, 16, 32, 32, 32, 64, 64];
    assert_eq!(blocks_of(&numbered, &widths), Some((vec![2, 2, 3, 2], 0)));
    assert_eq!(blocks_of(&numbered, &[8; 9]), None);
    // Wider where VGG has no new block; a network of seven; too few to tell.
    let doubling: Vec<usize> = (0..8).map(|at| 4 << at).collect();
    assert_eq!(blocks_of(&numbered[..8], &doubling), None);
    assert_eq!(blocks_of(&numbered[..7], &[8; 7]), None);
    assert_eq!(blocks_of(&numbered[..3], &[8; 3]), None);
}

#[test]
fn convolutions_may_follow_the_last_layer_but_none_may_lack() {
    let mut ssd = VGG16.to_vec();
    ssd.extend([31, 33]);
    assert_eq!(
        blocks_of(&indices(&ssd), &[8; 15]),
        Some((vec![2, 2, 3, 3, 3], 2))
    );
    for missing in 1..VGG16.len() - 1 {
        let mut gap = VGG16.to_vec();
        gap.remove(missing);
        assert_eq!(blocks_of(&indices(&gap), &[8; 12]), None, "{gap:?}");
    }
    assert_eq!(blocks_of(&indices(&[0, 5]), &[8; 2]), None);
    assert_eq!(blocks_of(&indices(&[0, 3, 6, 8, 10]), &[8; 5]), None);
    // A chain that breaks inside of a list is not the first layers; torchvision's names go on, and the shape is an error
    // where it is checked.
    let mut broken = chain(&indices(VGG16), &[8; 13]);
    broken[6].tensor.shape[1] = 9;
    let (network, _) = find(&broken, false, None).unwrap().unwrap();
    assert_eq!(network.layout.blocks, [2, 2, 3, 3, 3]);
    let numbered: Vec<String> = (1..=13).map(|at| format!("vgg.{at}")).collect();
    let mut broken = chain(&numbered, &[8; 13]);
    broken[6].tensor.shape[1] = 9;
    assert!(find(&broken, false, None).unwrap().is_none());
}

/// Each would take minutes, were every chain compared with all tensors.
#[test]
fn a_million_names_are_searched_in_a_second() {
    let start = std::time::Instant::now();
    let tensor = |name: String, shape: &[usize]| {
        Entry::new(name, Tensor::unreadable(DType::F32, shape.to_vec()))
    };
    let names = (0..200_000).flat_map(|at| {
        [
            tensor(format!("n{at}.features.0.weight"), &[5, 3, 3, 3]),
            tensor(format!("n{at}.features.1.running_mean"), &[5]),
        ]
    });
    let dots = "x.".repeat(500_000);
    let mut entries: Vec<Entry> = names.collect();
    entries.push(tensor(format!("{dots}weight"), &[3, 3, 3, 3]));
    assert!(find(&entries, false, None).is_err());
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
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
        prop_assert!(root.is_usual());
    }
}
