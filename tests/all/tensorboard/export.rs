//! Exported tables and arrays, as pandas and `NumPy` read them, against what TensorBoard has.

use crate::program::continued::put;
use crate::program::support::{Place, photo};
use crate::tensorboard::{root, script, succeeded};

// Verified: pandas | `export --as csv`, against TensorBoard's scalars | equal
#[test]
fn a_table_has_the_scalars_that_tensorboard_has() {
    let place = Place::new();
    let run = root().join("tests/fixtures/read_back/by_pytorch/resumed");
    place.run("export --out out --as csv", &[&run]).ok();
    let mut command = script("read_table.py");
    let output = command
        .args([&run, &place.path("out/scalars.csv")])
        .output();
    succeeded(&output.unwrap());
}

// Verified: NumPy | `export --as npz` | equal
#[test]
fn arrays_are_numpys() {
    let place = Place::on_cpu();
    for step in 1..=3 {
        put(&place, step);
    }
    let line = "checkpoints ckpts --crop 32 --resize 32 --layers relu1_1 --run a --images";
    place.run(line, &[photo("chelsea.png")]).ok();
    let none: [&str; 0] = [];
    for format in ["csv", "npz"] {
        let line = format!("export runs/a --step last --tag health/* --out {format} --as {format}");
        place.run(&line, &none).ok();
    }
    let file =
        |format: &str| place.path(&format!("{format}/health/01_relu1_1/step_000003.{format}"));
    let mut command = script("read_arrays.py");
    let output = command.args([file("npz"), file("csv")]).output();
    succeeded(&output.unwrap());
}
