//! What to do about networks that weights do not make, layers that are not there, and images that do not
//! reach them.

use std::error::Error;

use crate::network::pt2::{GraphError, Pt2Error};
use crate::network::vgg::NetworkError;
use crate::network::{ForwardError, InputError, SelectError};

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<SelectError>() {
        return Some(match error {
            SelectError::Unknown { .. }
            | SelectError::Several { .. }
            | SelectError::Classifier { .. }
            | SelectError::Beyond { .. } => "`vggscope layers` lists them all".to_owned(),
            SelectError::TooDeep { .. } => "choose --layers up to that one".to_owned(),
            SelectError::Empty(_) => "exclude fewer of them, or write \"all\"".to_owned(),
        });
    }
    if let Some(error) = error.downcast_ref::<InputError>() {
        return Some(match error {
            InputError::TooSmall { .. } => {
                "use a larger --crop, or only layers before it".to_owned()
            }
            InputError::Other { takes, .. } => {
                format!("leave --crop out, or use --crop {}", takes[0])
            }
        });
    }
    if let Some(ForwardError::Backend { .. }) = error.downcast_ref() {
        return Some("try a smaller --crop, fewer layers or a smaller --batch".to_owned());
    }
    if let Some(error) = error.downcast_ref::<GraphError>() {
        return match &error.source {
            Pt2Error::Unknown {
                last: Some(last), ..
            } => Some(format!(
                "up to {last} it can be shown; `vggscope layers --model` says which layers need it"
            )),
            _ => None,
        };
    }
    match error.downcast_ref::<NetworkError>()? {
        NetworkError::OtherArch { found, .. } => Some(format!("use --arch {}", found.first()?)),
        _ => None,
    }
}
