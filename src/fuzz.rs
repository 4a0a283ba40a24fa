//! What the fuzz targets in `fuzz/` reach of the private rooms. Only with the feature `fuzz`.

use std::path::Path;

use crate::state::State;

/// Decodes an image file.
///
/// # Panics
///
/// When the picture has other pixels than its size says.
pub fn image(path: &Path) {
    if let Ok(image) = crate::data::decode::decode(path) {
        let picture = image.picture;
        let pixels = u64::from(picture.width) * u64::from(picture.height);
        assert_eq!(picture.pixels.len() as u64, 3 * pixels);
    }
}

/// Reads a configuration file of one of the commands that take one.
pub fn config(path: &Path, command: usize) {
    if let Some(command) = ["images", "checkpoints", "train", "compare"].get(command % 4) {
        let words = ["vggscope", command, "--config"].map(Into::into);
        // Its message is made too.
        _ = crate::settings::parse(&[&words[..], &[path.into()]].concat())
            .map_err(|e| e.to_string());
    }
}

/// Reads the graph of an exported network, and finds out what its layers need.
pub fn network(json: &[u8]) {
    crate::network::pt2::fuzz(json);
}

/// Reads the state of the run in a folder, and writes it again.
///
/// # Panics
///
/// When what was written is another state.
pub fn state(folder: &Path) {
    let Ok(Some(state)) = State::read(folder) else {
        return;
    };
    _ = crate::commands::checkpoints::found(&state, i64::MAX);
    if state.write(folder).is_ok() {
        let again = State::read(folder).ok().flatten();
        let is_same = |again: State| {
            let is_whole = !again.is_shortened() && again.has_ended() == state.has_ended();
            is_whole && again.run == state.run && again.shown().eq(state.shown())
        };
        assert!(again.is_some_and(is_same));
    }
}
