//! A zlib stream of Huffman codes and runs of zeros.

use std::ops::Range;

use rayon::join_context;
use simd_adler32::Adler32;

use super::bits::Bits;
use super::huffman::{MAX_BITS, codes, lengths};

/// Literals, the end of the block and the match lengths.
const SYMBOLS: usize = 286;
const END: usize = 256;

/// The longest match of deflate, and the shortest.
const LONGEST: usize = 258;
const SHORTEST: usize = 3;

/// Zeros found eight at a time: an aligned word of them is where a run is looked for. A shorter run
/// is hardly dearer as literals, because there 0 has a code of one or two bits.
const WORD: usize = 8;

/// The order in which the lengths of the code-length code are sent (RFC 1951, 3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The largest prime below 2^16, of Adler-32 (RFC 1950, 8.2).
const PRIME: u64 = 65521;

/// `len` zeros from `start` on.
struct Run {
    start: usize,
    len: usize,
}

/// One symbol of the block's header: a code length, or 16 to 18 and how often.
struct Repeat {
    symbol: u8,
    extra: u64,
    extra_bits: u32,
}

/// Writes `count` blocks as a zlib stream at the end of a buffer. `fill` makes the bytes of a block. Idle threads of
/// rayon's may code some, in pieces of up to `piece` blocks.
pub(super) fn zlib(
    out: &mut Vec<u8>,
    (count, piece): (usize, usize),
    fill: impl Fn(usize, &mut Vec<u8>) + Sync,
) {
    // Deflate with a window of 32 KiB, fastest; the two bytes are a multiple of 31.
    out.extend_from_slice(&[0x78, 0x01]);
    let mut bits = Bits::new(out);
    let (adler, _) = blocks(0..count, (count, piece), &fill, &mut bits);
    bits.finish();
    out.extend_from_slice(&adler.to_be_bytes());
}

/// Writes some of the `count` blocks; returns the Adler-32 and the number of their bytes.
///
/// Only a thread that is idle codes the second half apart, to be appended: that takes a tenth more time in all.
fn blocks(
    range: Range<usize>,
    (count, piece): (usize, usize),
    fill: &(impl Fn(usize, &mut Vec<u8>) + Sync),
    bits: &mut Bits<'_>,
) -> (u32, usize) {
    if range.len() <= piece {
        let (mut bytes, mut runs) = (Vec::new(), Vec::new());
        let (mut adler, mut len) = (Adler32::new(), 0);
        for at in range {
            fill(at, &mut bytes);
            block(&bytes, at + 1 == count, &mut runs, bits);
            adler.write(&bytes);
            len += bytes.len();
        }
        return (adler.finish(), len);
    }
    let middle = range.start.midpoint(range.end);
    let (first, second) = (range.start..middle, middle..range.end);
    let apart = || {
        let mut coded = Vec::new();
        let mut bits = Bits::new(&mut coded);
        let checked = blocks(second.clone(), (count, piece), fill, &mut bits);
        (bits.finish(), coded, checked)
    };
    let (first, apart) = join_context(
        |_| blocks(first, (count, piece), fill, bits),
        |thread| thread.migrated().then(apart),
    );
    let second = if let Some((padding, coded, checked)) = apart {
        bits.append(&coded, padding);
        checked
    } else {
        blocks(second, (count, piece), fill, bits)
    };
    (joined(first.0, second), first.1 + second.1)
}

/// The Adler-32 of two pieces, from those of each and the length of the second.
fn joined(first: u32, (second, len): (u32, usize)) -> u32 {
    let [(a1, b1), (a2, b2)] =
        [first, second].map(|sum| (u64::from(sum & 0xffff), u64::from(sum >> 16)));
    // `a` begins at 1, and `b` adds it up: what the first piece adds to `a` counts for every byte of the second.
    let before = (a1 + PRIME - 1) % PRIME;
    let (a, b) = (before + a2, len as u64 % PRIME * before + b1 + b2);
    (((b % PRIME) as u32) << 16) | (a % PRIME) as u32
}

/// Writes one deflate block with a code of its own.
fn block(bytes: &[u8], last: bool, runs: &mut Vec<Run>, bits: &mut Bits<'_>) {
    find_runs(bytes, runs);
    let lengths = lengths(&count(bytes, runs), MAX_BITS);
    let codes = codes(&lengths);
    // No code is longer than 12 bits; the header takes less than the rest.
    bits.reserve(bytes.len() / 2 * 3 + 1024);
    bits.put(u64::from(last), 1);
    bits.put(2, 2);
    header(&lengths, bits);
    let literals = std::array::from_fn(|byte| codes[byte]);
    let mut at = 0;
    for run in &*runs {
        bits.literals(&bytes[at..run.start], &literals);
        for token in split(run.len) {
            match token {
                Token::Zero => bits.code(codes[0]),
                Token::Match(len) => {
                    let (symbol, extra, extra_bits) = length_symbol(len);
                    bits.code(codes[symbol]);
                    // The extra bits, and 0: the one distance code there is.
                    bits.put(extra, extra_bits + 1);
                }
            }
        }
        at = run.start + run.len;
    }
    bits.literals(&bytes[at..], &literals);
    bits.code(codes[END]);
}

/// How often every symbol occurs in the block.
fn count(bytes: &[u8], runs: &[Run]) -> [u32; SYMBOLS] {
    let mut tables = [[0_u32; 256]; 4];
    let mut counts = [0; SYMBOLS];
    let mut at = 0;
    for run in runs {
        count_literals(&bytes[at..run.start], &mut tables);
        for token in split(run.len) {
            match token {
                Token::Zero => counts[0] += 1,
                Token::Match(len) => counts[length_symbol(len).0] += 1,
            }
        }
        at = run.start + run.len;
    }
    count_literals(&bytes[at..], &mut tables);
    for table in &tables {
        for (sum, count) in counts.iter_mut().zip(table) {
            *sum += count;
        }
    }
    counts[END] = 1;
    counts
}

/// The code lengths, themselves coded (RFC 1951, 3.2.7).
fn header(lengths_sent: &[u8; SYMBOLS], bits: &mut Bits<'_>) {
    let literals = lengths_sent
        .iter()
        .rposition(|&len| len > 0)
        .map_or(END, |at| at.max(END))
        + 1;
    let mut sent = lengths_sent[..literals].to_vec();
    // The only distance is 1, with a code of one bit.
    sent.push(1);
    let repeats = repeats(&sent);
    let mut counts = [0; 19];
    for repeat in &repeats {
        counts[usize::from(repeat.symbol)] += 1;
    }
    let lengths = lengths(&counts, 7);
    let codes = codes(&lengths);
    let used = ORDER
        .iter()
        .rposition(|&symbol| lengths[symbol] > 0)
        .map_or(4, |at| (at + 1).max(4));
    bits.put((literals - 257) as u64, 5);
    bits.put(0, 5);
    bits.put((used - 4) as u64, 4);
    for &symbol in &ORDER[..used] {
        bits.put(u64::from(lengths[symbol]), 3);
    }
    for repeat in &repeats {
        bits.code(codes[usize::from(repeat.symbol)]);
        bits.put(repeat.extra, repeat.extra_bits);
    }
}

/// Finds the zeros that are worth a match.
fn find_runs(bytes: &[u8], runs: &mut Vec<Run>) {
    runs.clear();
    let is_zeros = |at: usize| {
        bytes
            .get(at..at + WORD)
            .is_some_and(|word| word == [0; WORD])
    };
    let mut at = 0;
    let mut before = 0;
    while at + WORD <= bytes.len() {
        if !is_zeros(at) {
            at += WORD;
            continue;
        }
        let back = bytes[before..at]
            .iter()
            .rev()
            .take_while(|&&byte| byte == 0)
            .count();
        let start = at - back;
        while is_zeros(at) {
            at += WORD;
        }
        at += bytes[at..].iter().take_while(|&&byte| byte == 0).count();
        runs.push(Run {
            start,
            len: at - start,
        });
        before = at;
    }
}

/// A piece of a run of zeros.
enum Token {
    Zero,
    Match(usize),
}

/// One zero, which the matches repeat, then as long matches as there are; a rest too short for a
/// match is literals again.
fn split(run: usize) -> impl Iterator<Item = Token> {
    let mut left = run;
    std::iter::from_fn(move || {
        let token = match left {
            0 => return None,
            _ if left == run || left < SHORTEST => Token::Zero,
            _ => Token::Match(left.min(LONGEST)),
        };
        left -= match token {
            Token::Zero => 1,
            Token::Match(len) => len,
        };
        Some(token)
    })
}

/// The symbol of a match length, its extra bits and how many they are (RFC 1951, 3.2.5).
fn length_symbol(len: usize) -> (usize, u64, u32) {
    match len {
        LONGEST => (285, 0, 0),
        ..11 => (254 + len, 0, 0),
        _ => {
            let over = len - SHORTEST;
            let extra_bits = over.ilog2() - 2;
            let symbol = 257 + 4 * extra_bits as usize + (over >> extra_bits);
            (symbol, (over & ((1 << extra_bits) - 1)) as u64, extra_bits)
        }
    }
}

/// Run lengths of code lengths.
fn repeats(lengths: &[u8]) -> Vec<Repeat> {
    let mut repeats = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b) {
        let (value, mut left) = (run[0], run.len());
        let mut push = |symbol, extra: usize, extra_bits| {
            repeats.push(Repeat {
                symbol,
                extra: extra as u64,
                extra_bits,
            });
        };
        if value != 0 {
            push(value, 0, 0);
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most, extra_bits) = match (value, left) {
                (0, 11..) => (18, 11, 138, 7),
                (0, _) => (17, 3, 10, 3),
                _ => (16, 3, 6, 2),
            };
            let n = left.min(most);
            push(symbol, n - least, extra_bits);
            left -= n;
        }
        for _ in 0..left {
            push(value, 0, 0);
        }
    }
    repeats
}

/// Counts bytes in four tables in turn, so that a byte that occurs twice in a row does not wait
/// for its own counter.
fn count_literals(bytes: &[u8], tables: &mut [[u32; 256]; 4]) {
    let (words, rest) = bytes.as_chunks::<WORD>();
    for word in words {
        for (i, &byte) in word.iter().enumerate() {
            tables[i % 4][usize::from(byte)] += 1;
        }
    }
    for &byte in rest {
        tables[0][usize::from(byte)] += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
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
            let (symbol, extra, extra_bits) = length_symbol(len);
            let (first, bits) = TABLE[symbol - 257];
            assert_eq!(
                (first + usize::try_from(extra).unwrap(), bits),
                (len, extra_bits)
            );
            assert!(extra < 1 << extra_bits);
        }
    }

    #[test]
    fn checksums_join() {
        let bytes = vec![255; 200_000];
        for at in [0, 1, 65_521, 65_522, 200_000] {
            let (first, second) = bytes.split_at(at);
            let [first_sum, second_sum] = [first, second].map(|piece| adler32(&piece));
            let sum = joined(first_sum, (second_sum, second.len()));
            assert_eq!(sum, adler32(&bytes.as_slice()));
        }
    }

    #[test]
    fn pieces_of_a_run_add_up() {
        for run in 1..2000 {
            let mut zeros = 0;
            for (i, token) in split(run).enumerate() {
                match token {
                    Token::Zero => zeros += 1,
                    Token::Match(len) => {
                        assert!(i > 0, "nothing to repeat yet");
                        assert!((SHORTEST..=LONGEST).contains(&len));
                        zeros += len;
                    }
                }
            }
            assert_eq!(zeros, run);
        }
    }
}
