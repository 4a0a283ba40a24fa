//! What to do about errors of this room.

use std::error::Error;

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(_error: &(dyn Error + 'static)) -> Option<String> {
    None
}
