//! Values, styles and names of the pictures that `make_fixtures.py` has torchvision make.
//!
//! Also compiled into the tests of `vggscope`, which draw the same pictures on a device.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Range, Style};

/// One line of `cases.txt`.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// `[maps, channels, height, width]`.
    pub(crate) shape: [usize; 4],
    pub(crate) style: Style,
    pub(crate) values: Vec<f32>,
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    // Of this crate, or of the workspace around it.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = package.join("tests/fixtures").join(name);
    let of_workspace = package
        .join("crates/feature-grid/tests/fixtures")
        .join(name);
    if own.exists() { own } else { of_workspace }
}

pub(crate) fn cases() -> Vec<Case> {
    let text = fs::read_to_string(fixture("cases.txt")).unwrap();
    let cases: Vec<Case> = text.lines().map(case).collect();
    assert_eq!(cases.len(), 20);
    cases
}

fn case(line: &str) -> Case {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, kind, shape, range, min_tile] = words[..] else {
        panic!("{line}");
    };
    let shape: Vec<usize> = shape.split('x').map(|n| n.parse().unwrap()).collect();
    let range = match range {
        "map" => Range::Map,
        "layer" => Range::Layer,
        ends => {
            let (low, high) = ends.split_once(',').unwrap();
            Range::Fixed(low.parse().unwrap(), high.parse().unwrap())
        }
    };
    let bytes = fs::read(fixture(&format!("{name}.f32"))).unwrap();
    Case {
        name: name.to_owned(),
        kind: kind.to_owned(),
        shape: shape.try_into().unwrap(),
        style: Style {
            range,
            min_tile: Some(min_tile.parse().unwrap()),
            ..Style::default()
        },
        values: bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| f32::from_le_bytes(b))
            .collect(),
    }
}
