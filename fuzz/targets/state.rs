//! The state of a run folder, next to an event file that the seeds name. Half of the inputs are lines behind the first
//! line of a real run, and note the checksum of its settings.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tensorboard_events::EventFile;
use vggscope_fuzz::bounded;

const EVENTS: &str = "events.out.tfevents.1.fuzz";

fuzz_target!(|input: &[u8]| {
    let folder = folder();
    for lines in [input.to_vec(), behind_head(input)] {
        let path = folder.join("state.jsonl");
        fs::write(&path, &lines).expect("a file");
        bounded(&lines, || vggscope::fuzz::state(folder));
    }
});

/// A folder with an event file.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm").join(format!("vggscope-fuzz-{}", std::process::id()));
        let events = EventFile::create(&memory).expect("an event file");
        let path = events.path().to_owned();
        events.close().expect("an event file");
        fs::rename(path, memory.join(EVENTS)).expect("a file");
        memory
    })
}

fn behind_head(input: &[u8]) -> Vec<u8> {
    let run = include_bytes!("../seeds/state/sweep.jsonl");
    let head = run.split_inclusive(|byte| *byte == b'\n').next();
    [head.unwrap_or_default(), input].concat()
}
