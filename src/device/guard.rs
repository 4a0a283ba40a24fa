//! Errors and panics of the backend, as one line.
//!
//! burn-tch panics where libtorch throws (out of memory, most of all), and Burn offers no other way
//! to find out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::one_line::{panic_text, without_trace};

/// Runs `work`; a panic becomes the first line of its message, without libtorch's stack trace.
///
/// What `work` was changing must not be used after a panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| first_line(panic_text(payload.as_ref())))
}

/// The first line of a backend's message; libtorch's continues with a C++ stack trace.
pub(crate) fn first_line(text: &str) -> String {
    // tch unwraps libtorch's errors, which leaves the Debug form: one line with escaped line ends.
    let (text, line_end) = match text.split_once("Torch(\"") {
        Some((_, escaped)) => (escaped.trim_end_matches("\")"), "\\n"),
        None => (text, "\n"),
    };
    let text = text.trim_start();
    let text = text.strip_prefix("Internal torch error: ").unwrap_or(text);
    let line = text.split(line_end).next().unwrap_or(text);
    match without_trace(line) {
        "" => "unknown cause".to_owned(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(guarded(|| 3), Ok(3));
        for (text, expected) in [
            ("out of memory\nframe #0: abort", "out of memory"),
            ("bad size. Exception raised from f at g.cpp:1", "bad size."),
            ("no such device frame #0: x", "no such device"),
            ("", "unknown cause"),
            // As `unwrap` and `expect` print an error of tch 0.22.
            (
                r#"called `Result::unwrap()` on an `Err` value: Torch("Given groups=1, got 3 channels instead\nException raised from check_shape_forward at ../aten/src/ATen/native/Convolution.cpp:802 (most recent call first):\nframe #0: c10::Error::Error(c10::SourceLocation, std::string) + 0x80 (0x7f in libc10.so)\n")"#,
                "Given groups=1, got 3 channels instead",
            ),
            (
                r#"the device: Torch("CUDA error: out of memory\nCUDA kernel errors might be reported later\nException raised from f")"#,
                "CUDA error: out of memory",
            ),
        ] {
            let got = guarded(|| std::panic::panic_any(text.to_owned()));
            assert_eq!(got, Err::<(), _>(expected.to_owned()));
        }
    }

    #[cfg(feature = "libtorch")]
    #[test]
    fn a_panic_of_libtorch_has_no_stack_trace() {
        let ones = tch::Tensor::ones([2], (tch::Kind::Float, tch::Device::Cpu));
        let expected = "shape '[3]' is invalid for input of size 2";
        let panicked = guarded(|| ones.reshape(3)).unwrap_err();
        assert_eq!(panicked, expected);
        let failed = ones.f_reshape(3).unwrap_err();
        assert_eq!(first_line(&failed.to_string()), expected);
    }
}
