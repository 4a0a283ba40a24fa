//! Pickles that would run code, or take memory or time without end.

use std::fs;
use std::path::Path;

use vggscope::weights::WeightsErrorKind;

use super::{assert_says, fixture, message_for, refused};

#[test]
fn a_pickle_that_runs_code_is_named_and_not_run() {
    for (name, callable) in [
        ("evil_beside.pth", "posix.system"),
        ("evil_protocol4.pth", "posix.system"),
        ("evil_root.pth", "posix.system"),
        ("evil_legacy.pth", "posix.system"),
        ("evil_eval.pth", "builtin__.eval"),
        ("evil_getattr.pth", "builtin__.getattr"),
        ("evil_memo.pkl", "posix.system"),
    ] {
        let error = refused(&fixture(name));
        assert!(
            matches!(error.kind, WeightsErrorKind::RunsCode { .. }),
            "{name}: {error}"
        );
        assert_says(&error.to_string(), &[callable, "nothing was run"]);
    }
    assert!(!Path::new("vggscope-was-run").exists());
}

/// The opcodes that push `module.name` and strings, and call.
fn pickle(body: &str) -> Vec<u8> {
    [b"\x80\x02", body.as_bytes(), b"."].concat()
}

/// `getattr` of a class is data; what it leads to, and whom it is handed to, is looked at.
#[test]
fn getattr_is_refused_where_it_leads_to_code() {
    for (body, callable) in [
        // getattr(torch.serialization, "os"), then its "system".
        (
            "cbuiltins\ngetattr\n(ctorch\nserialization\nX\x02\0\0\0ostR",
            "torch.serialization.os",
        ),
        (
            "c__builtin__\ngetattr\n(cnumpy\nndarray\nX\x0e\0\0\0__subclasses__tR",
            "numpy.ndarray.__subclasses__",
        ),
        (
            "c__builtin__\ngetattr\n(ca.b\nC\nX\x06\0\0\0systemtR",
            "a.b.C.system",
        ),
        // getattr of a string; handed to map; kept in a dict.
        (
            "c__builtin__\ngetattr\n(X\x01\0\0\0aX\x01\0\0\0btR",
            "__builtin__.getattr",
        ),
        (
            "c__builtin__\nmap\n(c__builtin__\ngetattr\n]tR",
            "__builtin__.getattr",
        ),
        ("}X\x01\0\0\0acbuiltins\ngetattr\ns", "builtins.getattr"),
    ] {
        let text = message_for(&pickle(body));
        assert_says(&text, &[callable, "nothing was run"]);
    }
}

/// A few bytes may not make the reader take memory or time, deflated or not.
#[test]
fn a_small_pickle_stays_small() {
    // A value in slot 16 million of the memo, and two million empty dictionaries.
    let far = b"\x80\x02}r\xff\xff\xff\x00.".to_vec();
    let many = [b"\x80\x02(", &vec![b'}'; 2 << 20][..], b"d."].concat();
    for (bytes, part) in [(far, "holds too much"), (many, "too")] {
        let text = message_for(&[&bytes[..], &[0; 24]].concat());
        assert_says(&text, &[part]);
    }
}

/// Lists of lists that are one list each: a legacy file of 200 bytes, 8 billion values.
#[test]
fn shared_values_are_not_visited_for_ever() {
    let legacy = fs::read(fixture("legacy.pth")).unwrap();
    let mut ends = legacy.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    let third = ends.nth(1).unwrap().0 + 1;
    let machine = b"\x80\x02N.";
    let list = |item: &[u8], slot| [b"(", &item.repeat(2000)[..], b"lq", &[slot]].concat();
    let nested = [list(b"N", 0), list(b"h\x00", 1), list(b"h\x01", 2)].concat();
    let bytes = [
        &legacy[..third],
        machine,
        b"\x80\x02",
        &nested,
        b".\x80\x02].",
    ]
    .concat();
    assert_says(&message_for(&bytes), &["its values repeat too often"]);
}

/// Objects in objects, deeper than any stack: they have no names, so nothing is looked for in them.
#[test]
fn values_nested_deeper_than_the_stack_are_no_crash() {
    const DEPTH: usize = 400_000;
    let object = b"cmy.models\nThing\n)\x81".repeat(DEPTH);
    let objects = [
        b"\x80\x02".as_slice(),
        &object,
        &b"b".repeat(DEPTH - 1),
        b".",
    ]
    .concat();
    let lists = [
        b"\x80\x02".as_slice(),
        &b"]".repeat(DEPTH),
        &b"a".repeat(DEPTH - 1),
        b".",
    ]
    .concat();
    for bytes in [objects, lists] {
        assert_says(&message_for(&bytes), &["weights.pth", "pickle"]);
    }
}

/// Each would take gigabytes, or for ever, where values were copied or lengths believed.
#[test]
fn hostile_pickles_are_refused() {
    const MANY: usize = 20_000_000;
    let repeated = |first: &[u8], opcode: u8, count: usize| {
        [b"\x80\x02", first, &vec![opcode; count], b"."].concat()
    };
    let doubling: Vec<u8> = (0..60)
        .flat_map(|slot| [b'q', slot, b'h', slot, 0x86])
        .collect();
    let shared = [b"\x80\x02}X\x01\0\0\0a]", &doubling[..], b"s."].concat();
    let claimed = |opcode: u8| {
        let length = (50_u64 << 30).to_le_bytes();
        [b"\x80\x04", &[opcode][..], &length, b"abc"].concat()
    };
    // A list of a million pairs, of which OrderedDict makes a dictionary a million times.
    let pairs = [
        &b"(K\x00K\x00\x86q\x00"[..],
        &b"h\x00".repeat(1_000_000),
        b"lq\x01",
    ]
    .concat();
    let call = b"ccollections\nOrderedDict\nh\x01\x85R";
    let copied = [b"\x80\x02", &pairs[..], &call.repeat(100_000), b"."].concat();
    for (what, bytes) in [
        ("lists that double", shared),
        ("duplicates that double", repeated(b"]", b'2', MANY)),
        ("marks", repeated(b"", b'(', 5_000_000)),
        ("nested tuples", repeated(b")", 0x85, 3_000_000)),
        ("lists", repeated(b"", b']', MANY)),
        ("dictionaries", repeated(b"", b'}', MANY)),
        ("memo slots", repeated(b"N", 0x94, MANY)),
        ("copied dictionaries", copied),
        ("50 GB of text", claimed(0x8d)),
        ("50 GB of bytes", claimed(0x8e)),
    ] {
        let legacy = fs::read(fixture("legacy.pth")).unwrap();
        // Behind the magic number, the protocol and the machine.
        let head: usize = (0..3).fold(0, |at, _| {
            let end = legacy[at..].iter().position(|&byte| byte == b'.').unwrap();
            at + end + 1
        });
        for bytes in [bytes.clone(), [&legacy[..head], &bytes].concat()] {
            let text = message_for(&bytes);
            assert!(
                text.contains("pickle") || text.contains("damaged"),
                "{what}: {text}"
            );
        }
    }
}
