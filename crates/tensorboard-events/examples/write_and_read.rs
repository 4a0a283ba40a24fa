//! Writes a run, resumes it at a step, reads it back and prints what its files hold.
//!
//! `cargo run -p tensorboard-events --example write_and_read [FOLDER]`, then `tensorboard --logdir FOLDER`.

use std::error::Error;
use std::path::{Path, PathBuf};

use tensorboard_events::{
    Content, EventFile, EventReader, Histogram, Inventory, Summary, event_files,
};

/// 3 x 2 pixels.
const PNG: &[u8] = include_bytes!("../tests/fixtures/rgb.png");

fn main() -> Result<(), Box<dyn Error>> {
    let default = std::env::temp_dir().join("tensorboard-events-example");
    let folder = std::env::args_os().nth(1).map_or(default, PathBuf::from);
    let run = folder.join("run");

    let mut file = EventFile::resume(&run, 0)?;
    write_steps(&mut file, 0..10)?;
    file.close()?;

    // The process was killed after step 9, and its last checkpoint is that of step 6.
    let mut file = EventFile::resume(&run, 7)?;
    write_steps(&mut file, 7..12)?;
    file.close()?;

    let files = event_files(&run)?;
    for path in &files {
        read(path)?;
    }
    for (tag, values) in Inventory::of(&files).tags {
        println!("{tag} ({}): steps {:?}", values.plugin, values.slow);
    }
    println!("tensorboard --logdir {}", folder.display());
    Ok(())
}

fn write_steps(file: &mut EventFile, steps: std::ops::Range<i32>) -> Result<(), Box<dyn Error>> {
    for step in steps {
        let weights: Vec<f32> = (0_u8..100).map(|at| f32::from(at).sin()).collect();
        let summaries = vec![
            Summary::scalar("loss", 1.0 / f64::from(step + 1)),
            Summary::image("input", "What the network sees", 3, 2, vec![PNG.to_vec()]),
            Summary::histogram("weights", Histogram::of(&weights, Histogram::BUCKETS)),
        ];
        file.write_step(step.into(), summaries)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut summaries = 0;
    for event in EventReader::open(path)? {
        if let Content::Summaries(values) = event?.content {
            summaries += values.len();
        }
    }
    println!("{}: {summaries} values", path.display());
    Ok(())
}
