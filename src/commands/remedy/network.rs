//! What to do about networks that weights do not make, layers that are not there, and images that do not
//! reach them.

use crate::device::BackendError;
use crate::network::pt2::Pt2Error;
use crate::network::vgg::NetworkError;
use crate::network::{ForwardError, InputError, SelectError};

pub(super) fn select(error: &SelectError) -> &'static str {
    match error {
        SelectError::Unknown(_) => {
            "`vggscope layers`, with the same --model or --weights, lists them all"
        }
        SelectError::TooDeep { .. } => "choose --layers up to that one",
        SelectError::Empty(_) => "exclude fewer of them, or write \"all\"",
    }
}

pub(super) fn input(error: &InputError) -> String {
    match error {
        InputError::TooSmall { .. } => "use a larger --crop, or only layers before it".to_owned(),
        InputError::Other {
            takes: [height, width],
            ..
        } => {
            let crop = if height == width {
                height.to_string()
            } else {
                format!("{height}x{width}")
            };
            format!("leave --crop out, or use --crop {crop}")
        }
    }
}

pub(super) fn forward(error: &ForwardError) -> Option<&'static str> {
    match error {
        // What is wrong with its graph no smaller batch mends.
        ForwardError::Backend {
            source: BackendError::Graph(_),
            ..
        }
        | ForwardError::Input { .. } => None,
        ForwardError::Backend { .. } => {
            Some("try a smaller --crop, fewer layers or a smaller --batch")
        }
    }
}

pub(super) fn network(error: &NetworkError) -> Option<String> {
    match error {
        NetworkError::OtherArch { found, .. } => Some(format!("use --arch {}", found.first()?)),
        _ => None,
    }
}

pub(super) fn exported(error: &Pt2Error) -> Option<String> {
    let advice = match error {
        Pt2Error::Unknown {
            last: Some(last), ..
        } => {
            return Some(format!(
                "choose --layers up to {last}; `vggscope layers --model` says which layers need it"
            ));
        }
        Pt2Error::Unknown { last: None, .. } => {
            "no layer can be shown without it: write the network without it and export it again"
        }
        Pt2Error::InPlace { .. } => {
            "choose --layers before it, or export the network without working in place there"
        }
        Pt2Error::Training { .. } => "export the network after .eval()",
        Pt2Error::Schema { .. } => "export it with torch 2.8 or newer",
        Pt2Error::Inputs(_) => {
            "export a module whose forward takes the image alone, the rest fixed in it"
        }
        Pt2Error::NoImage { .. } => "export it with such an image as its example",
        Pt2Error::Graph(_) => "export it again",
        _ => return None,
    };
    Some(advice.to_owned())
}
