use super::GRAY;
use super::reading::{file, nest, read, version};
use crate::read::Content;

/// Values under a plugin's name that its tab could not show either.
#[test]
fn values_of_another_form_are_none() {
    let strings = |shape: &[u8], strings: &[&[u8]]| {
        let mut tensor = vec![0x08, 7];
        tensor.extend(nest(&[2], shape));
        for string in strings {
            tensor.extend(nest(&[8], string));
        }
        tensor
    };
    let dim = |size: u8| nest(&[2], &[0x08, size]);
    let cases = [
        ("images", strings(&dim(3), &[b"3", b"2", GRAY]), true),
        ("images", strings(&dim(2), &[b"3", b"2"]), true),
        ("images", strings(&dim(4), &[b"3", b"2", GRAY]), false),
        ("images", strings(b"", &[b"3", b"2", GRAY]), false),
        ("images", strings(&dim(3), &[b"three", b"2", GRAY]), false),
        (
            "images",
            strings(&dim(3), &[b"4294967296", b"2", GRAY]),
            false,
        ),
        ("images", strings(&dim(1), &[b"3"]), false),
        ("text", strings(b"", &[b"markdown"]), true),
        ("text", strings(b"", &[b"one", b"two"]), false),
        ("text", strings(b"", &[b"\xff"]), false),
        ("text", strings(b"", &[]), false),
        ("scalars", strings(b"", &[b"0.5"]), false),
        (
            "scalars",
            b"\x08\x01\x12\x00\x2a\x04\x00\x00\x00\x3f".to_vec(),
            true,
        ),
        (
            "scalars",
            b"\x08\x01\x12\x00\x2d\x00\x00\x00\x3f".to_vec(),
            true,
        ),
        (
            "scalars",
            b"\x08\x01\x12\x00\x22\x04\x00\x00\x00\x3f".to_vec(),
            true,
        ),
        ("scalars", b"\x08\x01\x12\x00".to_vec(), false),
        (
            "scalars",
            b"\x08\x01\x12\x00\x22\x03\x00\x00\x3f".to_vec(),
            false,
        ),
        (
            "scalars",
            [
                b"\x08\x01\x2d\x00\x00\x00\x3f".to_vec(),
                nest(&[2], &dim(1)),
            ]
            .concat(),
            false,
        ),
        (
            "other",
            b"\x08\x01\x12\x00\x2d\x00\x00\x00\x3f".to_vec(),
            false,
        ),
    ];
    for (plugin, tensor, readable) in cases {
        assert_eq!(is_read(plugin, &tensor), readable, "{plugin} {tensor:?}");
    }
}

#[test]
fn histograms_of_another_form_are_none() {
    let dim = |size: u8| nest(&[2], &[0x08, size]);
    let doubles = |sizes: &[u8], numbers: &[u8]| {
        let shape: Vec<u8> = sizes.iter().flat_map(|&size| dim(size)).collect();
        [vec![0x08, 2], nest(&[2], &shape), nest(&[4], numbers)].concat()
    };
    let cases = [
        (doubles(&[1, 3], &[0; 24]), true),
        (doubles(&[0, 3], &[]), true),
        (doubles(&[3, 1], &[0; 24]), false),
        (doubles(&[2, 3], &[0; 24]), false),
        (doubles(&[3], &[0; 24]), false),
        (doubles(&[1, 3], &[0; 23]), false),
        (doubles(&[1, 3], &[0; 32]), false),
        (
            [
                vec![0x08, 2],
                nest(&[2], &[dim(1), dim(3)].concat()),
                nest(&[6], &[0; 24]),
            ]
            .concat(),
            true,
        ),
        (
            [doubles(&[2, 3], &[0; 24]), nest(&[6], &[0; 24])].concat(),
            false,
        ),
    ];
    for (tensor, readable) in cases {
        assert_eq!(is_read("histograms", &tensor), readable, "{tensor:?}");
    }
}

/// Values without a tensor, as PyTorch writes them.
#[test]
fn histograms_whose_limits_and_counts_differ_are_none() {
    let doubles = |field: u32, count: usize| nest(&[field], &[0; 8].repeat(count));
    let one_by_one = [&[6 << 3 | 1][..], &[0; 8], &[7 << 3 | 1], &[0; 8]].concat();
    for (histo, readable) in [
        ([doubles(6, 2), doubles(7, 2)].concat(), true),
        (one_by_one, true),
        (Vec::new(), true),
        ([doubles(6, 2), doubles(7, 3)].concat(), false),
        (doubles(6, 1), false),
    ] {
        let value = [nest(&[1], b"tag"), nest(&[5], &histo)].concat();
        assert_eq!(is_value_read("histograms", &value), readable, "{histo:?}");
    }
}

/// Whether the first value of a tag is understood.
fn is_read(plugin: &str, tensor: &[u8]) -> bool {
    let value = [
        nest(&[1], b"tag"),
        nest(&[9, 1, 1], plugin.as_bytes()),
        nest(&[8], tensor),
    ];
    is_value_read(plugin, &value.concat())
}

fn is_value_read(plugin: &str, value: &[u8]) -> bool {
    let event = nest(&[5, 1], value);
    let (events, error) = read(&file(&[&version(), &event]));
    assert!(error.is_none(), "{error:?}");
    let Content::Summaries(summaries) = &events[1].content else {
        panic!("{events:?}");
    };
    assert_eq!(summaries[0].plugin, plugin);
    summaries[0].value.is_some()
}
