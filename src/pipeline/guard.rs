//! Panics of the backend, turned into errors.
//!
//! burn-tch panics where libtorch throws (out of memory, most of all), and Burn offers no other way
//! to be told.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic becomes its message, in a line.
///
/// What `work` was changing must not be used after a panic; all callers give up on the step.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("unknown cause");
        first_line(text)
    })
}

/// libtorch's messages carry a stack trace after the first line.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_first_line() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let got = guarded(|| panic!("out of {}\nframe #0", "memory"));
        std::panic::set_hook(hook);
        assert_eq!(got, Err::<(), _>("out of memory".to_owned()));
        assert_eq!(guarded(|| 3), Ok(3));
    }
}
