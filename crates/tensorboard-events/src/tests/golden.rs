use protobuf::Message;
use tensorboard_proto::event::{Event, Event_oneof_what};

use super::{Disk, GOLDEN, GRAY, RGB};
use crate::file::{ANY_STEP, EventFile};
use crate::record::RecordReader;
use crate::summary::Summary;

const DESCRIPTION: &str = "layer `conv1_1`, shape [1, 64, 224, 224] \u{d7} 2";

/// What `make_fixtures.py` has TensorBoard write, written by this tool.
fn ours() -> Vec<u8> {
    let disk = Disk::new();
    let clock = || 1_700_000_000.25;
    let mut file = EventFile::begin_at(disk.clone(), "golden".into(), ANY_STEP, clock).unwrap();
    let tag = "feature_maps/00_conv1_1";
    let config = "| key | value |\n|---|---|\n| seed | 7 |";
    let steps: [(_, fn() -> f64, _); 3] = [
        (
            0,
            || 1_700_000_001.5,
            vec![
                Summary::image(tag, DESCRIPTION, 3, 2, vec![GRAY.to_vec()]),
                Summary::image("input", "", 3, 2, vec![RGB.to_vec(), RGB.to_vec()]),
                Summary::text("config", config),
                Summary::scalar("loss", 0.1),
            ],
        ),
        (
            1 << 40,
            || 1_700_000_002.75,
            vec![
                Summary::image(tag, DESCRIPTION, 3, 2, vec![RGB.to_vec()]),
                Summary::scalar("loss", -1e-30),
            ],
        ),
        (
            -5,
            || 1_700_000_003.0,
            vec![Summary::scalar("before", f32::INFINITY)],
        ),
    ];
    for (step, clock, summaries) in steps {
        file.clock = clock;
        file.write_step(step, summaries).unwrap();
    }
    disk.bytes()
}

fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    RecordReader::new(bytes).collect::<Result<_, _>>().unwrap()
}

/// The generated messages put metadata before the tensor, TensorBoard behind it, so where there is
/// metadata the same fields are compared, and elsewhere the same bytes.
// Verified: TensorBoard 2.21 | the messages of `SummaryWriter` | to the byte, or field by field where the order of fields differs
#[test]
fn events_are_tensorboards() {
    let (ours, theirs) = (records(&ours()), records(GOLDEN));
    assert_eq!(ours.len(), theirs.len());
    let mut equal_bytes = 0;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let expected = Event::parse_from_bytes(theirs).unwrap();
        assert_eq!(Event::parse_from_bytes(ours).unwrap(), expected);
        assert_eq!(ours.len(), theirs.len(), "{expected:?}");
        if !has_metadata(&expected) {
            assert_eq!(ours, theirs, "{expected:?}");
            equal_bytes += 1;
        }
    }
    assert_eq!(equal_bytes, 6);
}

fn has_metadata(event: &Event) -> bool {
    match &event.what {
        Some(Event_oneof_what::summary(summary)) => {
            summary.value.iter().any(|value| value.metadata.is_some())
        }
        _ => false,
    }
}
