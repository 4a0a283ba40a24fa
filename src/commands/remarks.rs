//! What there is to say of how a weights file was read.

use crate::network::vgg::{Remark, Variant, remarks, several};
use crate::weights::WeightsFile;

/// A line for each remark on a file.
pub(crate) fn notes(file: &WeightsFile, variant: &Variant) -> Vec<String> {
    let remarks = remarks(file, variant);
    let text = |remark: &Remark| text(remark, file, &variant.arch.to_string());
    remarks.iter().map(text).collect()
}

/// Which network of a file is shown, where it holds several.
pub(crate) fn chosen(file: &WeightsFile) -> Option<String> {
    several(file).map(|remark| text(&remark, file, ""))
}

fn text(remark: &Remark, file: &WeightsFile, arch: &str) -> String {
    let name = file.path().display();
    match remark {
        Remark::Several { shown, others } => {
            let shown = match &**shown {
                "" => "the top level".to_owned(),
                prefix => format!("`{prefix}`"),
            };
            let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
            let others = others.join(", ");
            format!(
                "{name} holds several networks; shown is the one under {shown}, not {others}: choose with --weights-key"
            )
        }
        Remark::FirstLayers { last } => format!(
            "{name} holds the first layers of a {arch}, up to {}: --layers all means those",
            last.name()
        ),
        Remark::GoesOn { convolutions } => {
            let convolutions: Vec<String> = convolutions.iter().map(usize::to_string).collect();
            format!(
                "{name} goes on after {arch} (convolutions at {}), as SSD does: those are not shown, and pool3 and pool5 \
                 are torchvision's",
                convolutions.join(", ")
            )
        }
        Remark::Gray => format!(
            "{name} takes gray images: it is fed luma, normalized by the mean of the three channels' numbers"
        ),
    }
}
