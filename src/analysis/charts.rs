//! The charts of TensorBoard's Custom Scalars tab: all layers in one.

use super::Observers;
use crate::network::Layer;
use tensorboard_events::{Band, Chart, Layout, Summary};

/// The charts of a run of these layers, and of its observers where steps are compared. Those of a training come first.
pub(crate) fn charts(
    layers: &[Layer],
    observers: Option<&Observers>,
    is_training: bool,
) -> Summary {
    let mut layout = Layout::default();
    if is_training {
        let both = |title, name: &str| (title, lines(&format!("(train|val)/{name}")));
        let training = [both("loss", "loss"), both("accuracy", "accuracy")];
        layout.add("Training", training);
    }
    let mut all = Vec::new();
    if observers.is_some() {
        let change = if is_training {
            ("update ratio", lines("weight_change/.*/update_ratio"))
        } else {
            ("weight change", lines("weight_change/.*/to_previous"))
        };
        let dead = (
            "dead or inactive channels",
            lines("health/.*/(dead|inactive)"),
        );
        let cosine = lines("similarity/.*/cosine_to_first");
        all.extend([change, dead, ("cosine to the first step", cosine)]);
    }
    let has_cka = observers.is_some_and(Observers::compare_images);
    if has_cka {
        let to_last = lines("similarity/.*/cka_to_last");
        all.push(("CKA to the first step", lines("similarity/.*/cka_to_first")));
        // Of a training, nobody knows its last step before it comes.
        all.extend((!is_training).then_some(("CKA to the last step", to_last)));
    }
    all.push(("activation range", lines("range/.*/(min|max)")));
    layout.add("All layers", all);
    if has_cka {
        let band = |layer: &Layer| {
            let end = |end: &str| format!("intervals/{}/cka_to_first_{end}", layer.tag());
            Band {
                value: format!("similarity/{}/cka_to_first", layer.tag()),
                lower: end("low"),
                upper: end("high"),
            }
        };
        let bands = Chart::Bands(layers.iter().map(band).collect());
        layout.add(
            "Intervals",
            [("CKA to the first step, 95% interval", bands)],
        );
    }
    Summary::layout(layout)
}

fn lines(tags: &str) -> Chart {
    Chart::Lines(vec![tags.to_owned()])
}
