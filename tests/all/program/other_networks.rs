//! `vggscope checkpoints` where one file holds another network than the others.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use safetensors::tensor::{Dtype, TensorView};

use crate::program::support::{Place, Ran, event_files, events_of, photo, steps};

/// Output channels of each block of the networks here.
const WIDTHS: [usize; 5] = [4, 5, 6, 7, 8];

/// What a file holds.
#[derive(Clone)]
struct Network {
    /// Convolutions of each block.
    blocks: [usize; 5],
    widths: [usize; 5],
    channels: usize,
    has_batch_norm: bool,
    /// Convolutions that are there.
    depth: usize,
    /// Whether a convolution, by its number, has a bias.
    has_bias: fn(usize) -> bool,
}

const VGG16: Network = Network {
    blocks: [2, 2, 3, 3, 3],
    widths: WIDTHS,
    channels: 3,
    has_batch_norm: false,
    depth: usize::MAX,
    has_bias: |_| true,
};

impl Network {
    /// As a file of safetensors, whose numbers depend on the step.
    fn bytes(&self, step: u8) -> Vec<u8> {
        let (mut index, mut input, mut number) = (0, self.channels, 0);
        let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
        for (width, count) in self.widths.into_iter().zip(self.blocks) {
            for _ in 0..count {
                if number < self.depth {
                    let shape = vec![width, input, 3, 3];
                    tensors.push((format!("features.{index}.weight"), shape));
                    if (self.has_bias)(number) {
                        tensors.push((format!("features.{index}.bias"), vec![width]));
                    }
                    if self.has_batch_norm {
                        for part in ["weight", "bias", "running_mean", "running_var"] {
                            tensors.push((format!("features.{}.{part}", index + 1), vec![width]));
                        }
                    }
                }
                (input, number) = (width, number + 1);
                index += if self.has_batch_norm { 3 } else { 2 };
            }
            index += 1;
        }
        let values = |count: usize| -> Vec<u8> {
            let value = |place: usize| {
                let place = u8::try_from(place * 37 % 19).unwrap();
                f32::from(place) / 40.0 - 0.2 + f32::from(step) / 100.0
            };
            (0..count)
                .flat_map(|place| value(place).to_le_bytes())
                .collect()
        };
        let tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, shape)| {
                let values = values(shape.iter().product());
                (name, shape, values)
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        safetensors::serialize(views, None).unwrap()
    }
}

/// Networks that are not `VGG16`, and what a message about each names.
fn others() -> Vec<(&'static str, Network, &'static [&'static str])> {
    let mut widths = WIDTHS;
    widths[1] = 9;
    vec![
        (
            "wider",
            Network {
                widths: [16; 5],
                ..VGG16
            },
            &[
                "conv1_1",
                "features.0.weight [16, 3, 3, 3]",
                "expected [4, 3, 3, 3]",
            ],
        ),
        (
            "wider in the middle",
            Network { widths, ..VGG16 },
            &[
                "conv2_1",
                "features.5.weight [9, 4, 3, 3]",
                "expected [5, 4, 3, 3]",
            ],
        ),
        (
            "gray",
            Network {
                channels: 1,
                ..VGG16
            },
            &["gray"],
        ),
        (
            "without biases",
            Network {
                has_bias: |_| false,
                ..VGG16
            },
            &["conv1_1", "features.0.bias none", "expected [4]"],
        ),
        (
            "without one bias",
            Network {
                has_bias: |number| number != 3,
                ..VGG16
            },
            &["conv2_2", "features.7.bias none", "expected [5]"],
        ),
        (
            "the first layers",
            Network { depth: 3, ..VGG16 },
            &["conv2_2", "features.7.weight none"],
        ),
        (
            "another depth",
            Network {
                blocks: [1, 1, 2, 2, 2],
                ..VGG16
            },
            &["vgg11"],
        ),
        (
            "batch normalization",
            Network {
                has_batch_norm: true,
                ..VGG16
            },
            &["vgg16_bn"],
        ),
    ]
}

fn put(place: &Place, step: u8, network: &Network) {
    let path = place.write(
        &format!("ckpts/epoch_{step}.safetensors"),
        network.bytes(step),
    );
    // It is at rest.
    let then = SystemTime::now() - Duration::from_mins(2);
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(then).unwrap();
}

/// Steps 1 to 4, of which `odd` holds another network.
fn place(odd: u8, other: &Network) -> Place {
    let place = Place::on_cpu();
    for step in 1..=4 {
        put(&place, step, if step == odd { other } else { &VGG16 });
    }
    place
}

fn sweep(place: &Place, flags: &str) -> Ran {
    let line = "checkpoints ckpts --resize 32 --crop 32 --layers conv1_1,relu2_2 --run a --change";
    place.run(&format!("{line} {flags} --images"), &[photo("chelsea.png")])
}

#[track_caller]
fn assert_steps(place: &Place, expected: &[i64]) {
    let seen = events_of(&event_files(&place.path("runs/a")));
    assert_eq!(steps(&seen, "feature_maps/chelsea/08_relu2_2"), expected);
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), expected);
}

/// Asserts that a file, and no other, was left out because of what it holds.
#[track_caller]
fn assert_skipped(ran: &Ran, odd: u8, parts: &[&str]) {
    let err = ran.err();
    let lines: Vec<&str> = err
        .lines()
        .filter(|line| line.contains("skipped: "))
        .collect();
    assert_eq!((ran.code(), lines.len()), (1, 1), "{err}");
    for part in parts
        .iter()
        .copied()
        .chain([&*format!("epoch_{odd}.safetensors")])
    {
        assert!(lines[0].contains(part), "no {part:?} in {err}");
    }
    assert!(!err.contains("==="), "{err}");
}

#[test]
fn another_network_is_skipped_wherever_it_stands() {
    for (what, other, parts) in others() {
        for odd in [1, 2, 4] {
            println!("{what} at {odd}");
            let place = place(odd, &other);
            let ran = sweep(&place, "--on-error skip");
            assert_skipped(&ran, odd, parts);
            let expected: Vec<i64> = (1..=4).filter(|step| *step != i64::from(odd)).collect();
            assert_steps(&place, &expected);
        }
    }
}

#[test]
fn another_network_ends_the_run_with_the_reason_unless_it_is_to_be_skipped() {
    for (what, other, parts) in others() {
        println!("{what}");
        let place = place(3, &other);
        sweep(&place, "").fails(1, &[&["epoch_3.safetensors"], parts].concat());
        assert_steps(&place, &[1, 2]);
    }
}

#[test]
fn what_is_not_shown_may_differ() {
    let mut other = VGG16;
    other.widths[2] = 11;
    let place = place(2, &other);
    sweep(&place, "").ok();
    assert_steps(&place, &[1, 2, 3, 4]);
}

#[test]
fn a_run_that_follows_goes_on_without_it() {
    for (what, other, parts) in others() {
        println!("{what}");
        let place = place(3, &other);
        let ran = sweep(&place, "--follow=1s");
        assert_skipped(&ran, 3, parts);
        assert_steps(&place, &[1, 2, 4]);
    }
}

#[test]
fn parts_leave_it_out() {
    for odd in [1, 2, 3, 4] {
        let (_, other, parts) = others().remove(1);
        let place = place(odd, &other);
        for part in 0..2 {
            let ran = sweep(&place, &format!("--on-error skip --shard {part}/2"));
            if part == (odd - 1) / 2 {
                assert_skipped(&ran, odd, parts);
            } else {
                ran.ok();
            }
        }
        let merged = place.run::<&str>("merge runs/a", &[]);
        assert_eq!(merged.code(), 1, "{}", merged.err());
        let expected: Vec<i64> = (1..=4).filter(|step| *step != i64::from(odd)).collect();
        assert_steps(&place, &expected);
    }
}

/// The file that is compared with was asked for: it is not skipped.
#[test]
fn a_file_to_compare_with_has_to_fit() {
    for (what, other, parts) in others() {
        println!("{what}");
        let place = place(0, &VGG16);
        place.write("base.safetensors", other.bytes(0));
        let flags = "--change=base.safetensors --on-error skip";
        sweep(&place, flags).fails(1, &[&["base.safetensors"], parts].concat());
    }
}

/// What the run shows is known even if every file of it is gone.
#[test]
fn a_run_goes_on_with_its_own_network() {
    let (_, other, parts) = others().remove(0);
    let place = place(0, &VGG16);
    sweep(&place, "").ok();
    for step in 1..=4 {
        fs::remove_file(place.path(&format!("ckpts/epoch_{step}.safetensors"))).unwrap();
    }
    put(&place, 5, &other);
    put(&place, 6, &VGG16);
    sweep(&place, "").fails(1, &[&["epoch_5.safetensors"], parts].concat());
    let ran = sweep(&place, "--on-error skip");
    assert_skipped(&ran, 5, parts);
    assert_steps(&place, &[1, 2, 3, 4, 6]);
}
