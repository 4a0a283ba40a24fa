//! What happens to several filters of a layer at once.

use super::{filter, lines, rotate};

#[test]
fn what_happens_to_filters_of_a_layer_at_once_is_one_event() {
    let lines = lines(11, 0.002, |step, network| {
        if step == 4 {
            for number in [31, 2, 30] {
                filter(&mut network[3], number).fill(0.0);
            }
            for number in [5, 1, 2, 3, 4, 6] {
                filter(&mut network[2], number).fill(0.0);
            }
        }
        if step == 7 {
            rotate(filter(&mut network[0], 12));
            for value in filter(&mut network[0], 3) {
                *value = -*value;
            }
        }
    });
    let text = lines.join("\n");
    let zeroed = "filters 1, 2, 3, 4, and 2 more of conv3_1 at step 4; filters 2, 30, 31 of conv4_1 at step 4";
    let other_order = "filters 2, 30, 31 of conv4_1 at step 4; filters 1, 2, 3, 4, and 2 more of conv3_1 at step 4";
    assert!(
        text.contains(&format!("zeroed: {zeroed}\n"))
            || text.contains(&format!("zeroed: {other_order}\n")),
        "{text}"
    );
    let turned = "direction changed: kernels 3, 12 of conv1_1 at step 7 (cosine to the step before: -1.000 to ";
    assert!(text.contains(turned), "{text}");
}
