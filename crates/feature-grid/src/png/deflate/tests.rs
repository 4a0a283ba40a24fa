use simd_adler32::adler32;

use super::*;

/// RFC 1951, 3.2.5: the first length of every symbol from 257 on and its extra bits.
const TABLE: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

#[test]
fn every_length_has_its_symbol() {
    for len in SHORTEST..=LONGEST {
        let symbol = Symbol::of(len);
        let (first, bits) = TABLE[symbol.number - 257];
        assert_eq!(
            (first + usize::try_from(symbol.extra).unwrap(), bits + 1),
            (len, symbol.extra_bits)
        );
        assert!(symbol.extra < 1 << bits);
    }
}

#[test]
fn checksums_join() {
    let bytes = vec![255; 200_000];
    for at in [0, 1, 65_521, 65_522, 200_000] {
        let (first, second) = bytes.split_at(at);
        let [first, second] = [first, second].map(|piece| Checked {
            adler: adler32(&piece),
            len: piece.len(),
        });
        let sum = first.joined(second).adler;
        assert_eq!(sum, adler32(&bytes.as_slice()));
    }
}

#[test]
fn pieces_of_a_run_add_up() {
    for run in 1..2000 {
        let mut zeros = 0;
        for (i, len) in split(run).enumerate() {
            if len > 1 {
                assert!(i > 0, "nothing to repeat yet");
                assert!((SHORTEST..=LONGEST).contains(&len));
            }
            zeros += len;
        }
        assert_eq!(zeros, run);
    }
}
