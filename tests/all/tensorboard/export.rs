//! Exported tables, as pandas reads them, against what TensorBoard has.

use crate::program::support::Place;
use crate::tensorboard::{root, script};

#[test]
fn a_table_has_the_scalars_that_tensorboard_has() {
    let place = Place::new();
    let run = root().join("tests/fixtures/read_back/by_pytorch/resumed");
    place.run("export --out out --as csv", &[&run]).ok();
    let mut command = script("read_table.py");
    let output = command
        .args([&run, &place.path("out/scalars.csv")])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
