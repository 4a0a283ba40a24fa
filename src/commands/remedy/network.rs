//! What to do about networks that weights do not make, layers that are not there, and images that do not
//! reach them.

use std::error::Error;

use crate::device::BackendError;
use crate::network::pt2::Pt2Error;
use crate::network::vgg::NetworkError;
use crate::network::{ForwardError, InputError, SelectError};

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<SelectError>() {
        return Some(match error {
            SelectError::Unknown { .. }
            | SelectError::Several { .. }
            | SelectError::Classifier { .. }
            | SelectError::Beyond { .. } => {
                "`vggscope layers`, with the same --model or --weights, lists them all".to_owned()
            }
            SelectError::TooDeep { .. } => "choose --layers up to that one".to_owned(),
            SelectError::Empty(_) => "exclude fewer of them, or write \"all\"".to_owned(),
        });
    }
    if let Some(error) = error.downcast_ref::<InputError>() {
        return Some(match error {
            InputError::TooSmall { .. } => {
                "use a larger --crop, or only layers before it".to_owned()
            }
            InputError::Other {
                takes: [height, width],
                ..
            } => {
                let crop = match height == width {
                    true => height.to_string(),
                    false => format!("{height}x{width}"),
                };
                format!("leave --crop out, or use --crop {crop}")
            }
        });
    }
    if let Some(BackendError::Graph(_)) = error.downcast_ref() {
        return Some("export the network again, or choose --layers before it".to_owned());
    }
    if let Some(error) = error.downcast_ref::<Pt2Error>() {
        return of_graph(error);
    }
    if let Some(ForwardError::Backend { source, .. }) = error.downcast_ref()
        && !matches!(source, BackendError::Graph(_))
    {
        return Some("try a smaller --crop, fewer layers or a smaller --batch".to_owned());
    }
    match error.downcast_ref::<NetworkError>()? {
        NetworkError::OtherArch { found, .. } => Some(format!("use --arch {}", found.first()?)),
        _ => None,
    }
}

/// What to do about the graph of an exported network.
fn of_graph(error: &Pt2Error) -> Option<String> {
    Some(match error {
        Pt2Error::Unknown {
            last: Some(last), ..
        } => format!(
            "choose --layers up to {last}; `vggscope layers --model` says which layers need it"
        ),
        Pt2Error::Unknown { last: None, .. } => {
            "no layer can be shown without it: write the network without it and export it again"
                .to_owned()
        }
        Pt2Error::InPlace { .. } => {
            "choose --layers before it, or export the network without working in place there"
                .to_owned()
        }
        Pt2Error::Training { .. } => "export the network after .eval()".to_owned(),
        Pt2Error::Schema { .. } => "export it with torch 2.8 or newer".to_owned(),
        Pt2Error::Inputs(_) => {
            "export a module whose forward takes the image alone, the rest fixed in it".to_owned()
        }
        Pt2Error::NoImage { .. } => "export it with such an image as its example".to_owned(),
        Pt2Error::Json(_) | Pt2Error::Graph(_) => "export it again".to_owned(),
        _ => return None,
    })
}
