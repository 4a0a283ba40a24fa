//! What is said of a sweep when it is over, and while it follows a training.

use std::fmt::Write as _;

use super::super::comparison::{Tensors, tensors, write};
use super::super::continued::at_rest;
use super::Page;
use crate::program::support::weights;

const SHOWN: &str = "--images probes --layers conv1_1,relu3_1 --resize 64 --crop 64";

/// Checkpoints 1 to 6, each changed from the one before by what its number says.
fn sequence(page: &Page) {
    let mut now = tensors();
    for step in 1..=6 {
        change(&mut now, step);
        write(
            &page.place,
            &format!("sequence/epoch_{step}.safetensors"),
            &now,
        );
    }
}

fn change(now: &mut Tensors, step: u32) {
    match step {
        2 => {
            let filters = values(now, "features.5.weight");
            let one = filters.len() / 4;
            filters[one..3 * one].fill(0.);
        }
        3 => values(now, "features.2.weight")
            .iter_mut()
            .for_each(|value| *value *= 0.4),
        4 => values(now, "features.7.weight")
            .iter_mut()
            .take(36)
            .for_each(|value| *value = -*value),
        5 => values(now, "features.10.bias")[0] = f32::NAN,
        6 => values(now, "features.10.bias")[0] = 0.,
        _ => {}
    }
}

fn values<'a>(tensors: &'a mut Tensors, name: &str) -> &'a mut Vec<f32> {
    &mut tensors.get_mut(name).unwrap().1
}

#[test]
fn of_summaries() {
    let mut page = Page::new();
    sequence(&page);
    for flags in [
        "--run a --compare-images crops/val",
        "--run b --fail-if zeroed>0 --fail-if change>0.5 --fail-if nan>0",
        "--run c --fail-if dead>0.1",
        "--run c --fail-if cka<0.9",
        "--run c --fail-if neighbors<0.9",
        "--run c --fail-if update_ratio>0.1",
        "--run c --compare off --fail-if turned>0",
        "--run c --layers pool1 --fail-if inactive>0.9",
    ] {
        page.say(&format!("checkpoints sequence {SHOWN} {flags}"));
    }
    page.say("compare similarity/a similarity/b --run d --fail-if dead>0.1");
    page.is("summaries");
}

#[test]
fn of_following() {
    let mut page = Page::new();
    let follow = format!("checkpoints ckpts {SHOWN} --follow=1s --run");
    page.say(&format!("{follow} a"));
    page.say(&format!("{follow} a"));
    page.place.put(&weights(), "ckpts/epoch_0.safetensors");
    page.say(&format!("{follow} a"));
    let half = page.place.path("half.safetensors");
    at_rest(&page.place.put(&half, "ckpts/epoch_4.safetensors"));
    page.say(&format!("{follow} a"));
    page.place.put(&weights(), "ckpts/epoch_2.safetensors");
    let _ = writeln!(page.text, "ckpts/epoch_2.safetensors: replaced");
    page.say(&format!("{follow} a"));
    page.is("follow");
}
