//! Errors and panics of the backend, as one line.
//!
//! burn-tch panics where libtorch throws (out of memory, most of all), and Burn offers no other way
//! to find out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use feature_grid::ReadError;
use thiserror::Error;

use crate::one_line::{panic_text, without_trace};

/// How the panics of the standard library and of rayon begin where a thread cannot be started.
const NO_THREAD: [&str; 2] = [
    "failed to spawn thread",
    "The global thread pool has not been initialized",
];

/// What the backend says of an operation that failed, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The device, or the host, is short of memory.
    #[error("out of memory: {0} more were asked for")]
    OutOfMemory(
        /// How much, in binary units.
        String,
    ),
    /// The system starts no more threads.
    #[error("a thread cannot be started: the system allows no more")]
    Threads,
    /// The graph of a network asks for what cannot be computed.
    #[error("{0}")]
    Graph(
        /// What, where, and of which file.
        String,
    ),
    /// Anything else.
    #[error("{0}")]
    Other(
        /// The first line of the message.
        String,
    ),
}

impl BackendError {
    /// The first line of a message; libtorch's continues with a C++ stack trace.
    pub(crate) fn of(text: &str) -> Self {
        // tch unwraps libtorch's errors, which leaves the Debug form: one line with escaped line ends.
        let (text, line_end) = match text.split_once("Torch(\"") {
            Some((_, escaped)) => (escaped.trim_end_matches("\")"), "\\n"),
            None => (text, "\n"),
        };
        let text = text.trim_start();
        let text = text.strip_prefix("Internal torch error: ").unwrap_or(text);
        let line = text.split(line_end).next().unwrap_or(text);
        match without_trace(line) {
            "" => Self::Other("unknown cause".to_owned()),
            line if NO_THREAD.iter().any(|start| line.starts_with(start)) => Self::Threads,
            line => {
                out_of_memory(line).map_or_else(|| Self::Other(line.to_owned()), Self::OutOfMemory)
            }
        }
    }

    pub(crate) fn from_error(error: &dyn std::error::Error) -> Self {
        Self::of(&error.to_string())
    }
}

impl From<ReadError> for BackendError {
    fn from(error: ReadError) -> Self {
        Self::of(&error.to_string())
    }
}

impl From<BackendError> for ReadError {
    fn from(error: BackendError) -> Self {
        error.to_string().into()
    }
}

/// Runs `work`; a panic becomes the first line of its message, without libtorch's stack trace.
///
/// What `work` was changing must not be used after a panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, BackendError> {
    let result = catch_unwind(AssertUnwindSafe(work));
    result.map_err(|payload| BackendError::of(panic_text(payload.as_ref())))
}

/// How much was asked for, where a message of libtorch is that memory is short.
///
/// Source: `c10/core/impl/alloc_cpu.cpp`, `c10/cuda/CUDACachingAllocator.cpp`.
fn out_of_memory(line: &str) -> Option<String> {
    let after = |start: &str| line.split_once(start).map(|(_, rest)| rest);
    let size = if let Some(rest) = after("you tried to allocate ") {
        let bytes = rest.split(' ').next()?.parse().ok()?;
        indicatif::HumanBytes(bytes).to_string()
    } else {
        // 20.00 MiB. GPU 0 has a total capacity of …
        let rest = after("Tried to allocate ")?;
        rest.split_once(". ")
            .map_or(rest, |(size, _)| size)
            .to_owned()
    };
    Some(size.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(caught(|| 3), Ok(3));
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
            let got = caught(|| std::panic::panic_any(text.to_owned()));
            assert_eq!(got.map(|()| 0).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_thread_that_cannot_be_started_is_no_bug() {
        // As `std::thread::spawn` panics.
        let text = r#"failed to spawn thread: Os { code: 11, kind: WouldBlock, message: "Resource temporarily unavailable" }"#;
        assert_eq!(BackendError::of(text), BackendError::Threads);
    }

    #[test]
    fn short_memory_is_said_with_how_much_was_asked_for() {
        let of_cuda = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.11 GiB of which 9.44 MiB is free. Process 7 has 79.09 GiB memory in use.";
        let error = BackendError::of(of_cuda);
        assert_eq!(error, BackendError::OutOfMemory("20.00 MiB".to_owned()));
        let expected = "out of memory: 20.00 MiB more were asked for";
        assert_eq!(error.to_string(), expected);
    }

    #[cfg(feature = "libtorch")]
    #[test]
    fn short_memory_of_libtorchs_cpu_is_said_too() {
        let device = burn::tensor::Device::libtorch();
        let huge = || burn::tensor::Tensor::<1>::zeros([1_usize << 46], &device);
        let expected = BackendError::OutOfMemory("256.00 TiB".to_owned());
        assert_eq!(caught(huge).map(drop), Err(expected));
    }

    #[cfg(feature = "libtorch")]
    #[test]
    fn a_panic_of_libtorch_has_no_stack_trace() {
        let ones = tch::Tensor::ones([2], (tch::Kind::Float, tch::Device::Cpu));
        let expected = "shape '[3]' is invalid for input of size 2";
        let panicked = caught(|| ones.reshape(3)).unwrap_err();
        assert_eq!(panicked.to_string(), expected);
        let failed = BackendError::from_error(&ones.f_reshape(3).unwrap_err());
        assert_eq!(failed.to_string(), expected);
    }
}
