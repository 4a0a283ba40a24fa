//! What to do about values that cannot be logged.

use super::FEWER_THREADS;
use crate::device::BackendError;
use crate::logger::LoggerError;

pub(super) fn logger(error: &LoggerError) -> Option<&'static str> {
    Some(match error {
        LoggerError::Threads(_) => FEWER_THREADS,
        LoggerError::OtherShape { .. } => {
            "give every step images of one size, or do not compare steps (--compare off)"
        }
        LoggerError::Channel { .. } => "choose others with --maps",
        LoggerError::WritePng(..) => {
            "free some space or choose another folder for PNG files (--png)"
        }
        // The device's room knows what to do about memory and threads.
        LoggerError::Draw(_, source) | LoggerError::Panicked(_, source)
            if !matches!(source, BackendError::Other(_)) =>
        {
            return None;
        }
        LoggerError::Draw(..) => "VGGSCOPE_RENDER=host renders on the host",
        LoggerError::Panicked(..) => "please report it with the command you ran",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_cannot_be_drawn_is_drawn_on_the_host_unless_memory_is_short() {
        let draw = |source| LoggerError::Draw("conv1_1".to_owned(), source);
        let advice = logger(&draw(BackendError::Other("illegal address".to_owned())));
        assert!(advice.is_some_and(|advice| advice.contains("VGGSCOPE_RENDER=host")));
        let short = draw(BackendError::OutOfMemory("20 MiB".to_owned()));
        assert_eq!(logger(&short), None);
    }
}
