//! What to do about weights files that cannot be used.

use crate::weights::imagenet::ImagenetError;
use crate::weights::{WeightsError, WeightsErrorKind};

pub(super) fn imagenet(error: &ImagenetError) -> Option<&'static str> {
    match error {
        ImagenetError::Unavailable { .. } => Some("put the file there, or pass --weights FILE"),
        ImagenetError::NoCache(_) => Some("set VGGSCOPE_CACHE, or pass --weights FILE"),
        ImagenetError::NotPublished(..) => None,
    }
}

pub(super) fn weights(error: &WeightsError) -> Option<&'static str> {
    Some(match error.kind {
        WeightsErrorKind::Ambiguous(_) => "choose one with --weights-key",
        WeightsErrorKind::NoKey { .. } => "choose one of these with --weights-key",
        WeightsErrorKind::NotProgram(_) => {
            "in Python, `torch.export.save(torch.export.export(net.eval(), (image,)), \"net.pt2\")` writes one"
        }
        WeightsErrorKind::Framework { is_bgr: true, .. } => "with such weights, use --preset caffe",
        WeightsErrorKind::OtherNetwork(_) => {
            "other networks are shown by --model, as docs/any-network.md says"
        }
        WeightsErrorKind::Framework { .. } => "--weights imagenet has the published networks",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::super::explain;
    use super::*;
    use crate::weights::imagenet::DownloadError;

    #[test]
    fn flags_that_help_are_named() {
        let of = |kind| explain(&WeightsError::new(Path::new("a.pth"), kind));
        let found = vec!["net.".to_owned()];
        let key = "swa".to_owned();
        let framework = |is_bgr| WeightsErrorKind::Framework { what: "", is_bgr };
        for (text, advice) in [
            (
                of(WeightsErrorKind::Ambiguous(found.clone())),
                "; choose one with --weights-key",
            ),
            (of(WeightsErrorKind::NoKey { key, found }), "--weights-key"),
            (of(framework(true)), "--preset caffe"),
            (of(framework(false)), "--weights imagenet"),
            (
                explain(&ImagenetError::Unavailable {
                    file: "vgg16.pth".to_owned(),
                    locations: Vec::new(),
                    url: "http://localhost/".to_owned(),
                    source: DownloadError::BrokeOff {
                        got: 1,
                        source: io::ErrorKind::UnexpectedEof.into(),
                    },
                }),
                "put the file there, or pass --weights FILE",
            ),
            (
                explain(&ImagenetError::NoCache("vgg16.pth".to_owned())),
                "VGGSCOPE_CACHE, or pass --weights FILE",
            ),
        ] {
            assert!(text.contains(advice), "{text}");
        }
    }
}
