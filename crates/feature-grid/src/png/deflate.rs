//! A zlib stream of Huffman codes and runs of zeros.

use std::ops::Range;

use rayon::join_context;
use simd_adler32::Adler32;

use super::bits::Bits;
use super::huffman::{Code, MAX_BITS, codes, lengths};

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

pub(super) struct Blocks<F> {
    pub(super) count: usize,
    /// So few are coded by one thread.
    pub(super) piece: usize,
    /// Makes the bytes of a block.
    pub(super) fill: F,
}

#[derive(Clone, Copy)]
struct Checked {
    adler: u32,
    len: usize,
}

impl<F: Fn(usize, &mut Vec<u8>) + Sync> Blocks<F> {
    /// Writes all as a zlib stream at the end of a buffer. Idle threads of rayon's may code some.
    pub(super) fn zlib(&self, out: &mut Vec<u8>) {
        // Deflate with a window of 32 KiB, fastest; the two bytes are a multiple of 31.
        out.extend_from_slice(&[0x78, 0x01]);
        let mut bits = Bits::new(out);
        let checked = self.code(0..self.count, &mut bits);
        bits.finish();
        out.extend_from_slice(&checked.adler.to_be_bytes());
    }

    /// Only a thread that is idle codes the second half by itself, to be appended: that takes a tenth more time in all.
    fn code(&self, range: Range<usize>, bits: &mut Bits<'_>) -> Checked {
        if range.len() <= self.piece {
            return self.code_piece(range, bits);
        }
        let middle = range.start.midpoint(range.end);
        let (first, second) = (range.start..middle, middle..range.end);
        let by_itself = || {
            let mut coded = Vec::new();
            let mut bits = Bits::new(&mut coded);
            let checked = self.code(second.clone(), &mut bits);
            (bits.finish(), coded, checked)
        };
        let (first, coded) = join_context(
            |_| self.code(first, bits),
            |thread| thread.migrated().then(by_itself),
        );
        let second = if let Some((padding, coded, checked)) = coded {
            bits.append(&coded, padding);
            checked
        } else {
            self.code(second, bits)
        };
        first.joined(second)
    }

    fn code_piece(&self, range: Range<usize>, bits: &mut Bits<'_>) -> Checked {
        let (mut bytes, mut runs) = (Vec::new(), Vec::new());
        let (mut adler, mut len) = (Adler32::new(), 0);
        for at in range {
            (self.fill)(at, &mut bytes);
            block(&bytes, at + 1 == self.count, &mut runs, bits);
            adler.write(&bytes);
            len += bytes.len();
        }
        let adler = adler.finish();
        Checked { adler, len }
    }
}

impl Checked {
    fn joined(self, second: Self) -> Self {
        let parts = |sum: u32| [sum & 0xffff, sum >> 16].map(u64::from);
        let ([a1, b1], [a2, b2]) = (parts(self.adler), parts(second.adler));
        // `a` begins at 1, and `b` adds it up: what the first piece adds to `a` counts for every byte of the second.
        let before = (a1 + PRIME - 1) % PRIME;
        let (a, b) = (before + a2, second.len as u64 % PRIME * before + b1 + b2);
        Self {
            adler: (((b % PRIME) as u32) << 16) | (a % PRIME) as u32,
            len: self.len + second.len,
        }
    }
}

fn block(bytes: &[u8], last: bool, runs: &mut Vec<Range<usize>>, bits: &mut Bits<'_>) {
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
        for len in split(run.len()) {
            Symbol::of(len).put(&codes, bits);
        }
        at = run.end;
    }
    bits.literals(&bytes[at..], &literals);
    bits.code(codes[END]);
}

fn count(bytes: &[u8], runs: &[Range<usize>]) -> [u32; SYMBOLS] {
    let mut tables = [[0_u32; 256]; 4];
    let mut counts = [0; SYMBOLS];
    let mut at = 0;
    for run in runs {
        count_literals(&bytes[at..run.start], &mut tables);
        for len in split(run.len()) {
            counts[Symbol::of(len).number] += 1;
        }
        at = run.end;
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
    let last = lengths_sent.iter().rposition(|&len| len > 0);
    let literals = last.map_or(END, |at| at.max(END)) + 1;
    let mut sent = lengths_sent[..literals].to_vec();
    // The only distance is 1, with a code of one bit.
    sent.push(1);
    let repeats = repeats(&sent);
    let mut counts = [0; 19];
    for repeat in &repeats {
        counts[repeat.number] += 1;
    }
    let lengths = lengths(&counts, 7);
    let codes = codes(&lengths);
    let last = ORDER.iter().rposition(|&symbol| lengths[symbol] > 0);
    let used = last.map_or(4, |at| (at + 1).max(4));
    bits.put((literals - 257) as u64, 5);
    bits.put(0, 5);
    bits.put((used - 4) as u64, 4);
    for &symbol in &ORDER[..used] {
        bits.put(u64::from(lengths[symbol]), 3);
    }
    for repeat in &repeats {
        repeat.put(&codes, bits);
    }
}

fn find_runs(bytes: &[u8], runs: &mut Vec<Range<usize>>) {
    runs.clear();
    let is_zeros = |at: usize| bytes.get(at..at + WORD) == Some(&[0; WORD]);
    let is_zero = |byte: &&u8| **byte == 0;
    let (mut at, mut before) = (0, 0);
    while at + WORD <= bytes.len() {
        if !is_zeros(at) {
            at += WORD;
            continue;
        }
        let back = bytes[before..at].iter().rev();
        let start = at - back.take_while(is_zero).count();
        while is_zeros(at) {
            at += WORD;
        }
        at += bytes[at..].iter().take_while(is_zero).count();
        runs.push(start..at);
        before = at;
    }
}

/// The pieces of a run of zeros: one zero, which the matches repeat, then as long matches as there are; a rest too
/// short for a match is single zeros again.
fn split(run: usize) -> impl Iterator<Item = usize> {
    let mut left = run;
    std::iter::from_fn(move || {
        let len = match left {
            0 => return None,
            _ if left == run || left < SHORTEST => 1,
            _ => left.min(LONGEST),
        };
        left -= len;
        Some(len)
    })
}

/// A symbol and the extra bits behind its code.
struct Symbol {
    number: usize,
    extra: u64,
    extra_bits: u32,
}

impl Symbol {
    fn new(number: usize, extra: usize, extra_bits: u32) -> Self {
        Self {
            number,
            extra: extra as u64,
            extra_bits,
        }
    }

    /// A zero, or the match of some (RFC 1951, 3.2.5): behind the extra bits of its length 0, the one distance code
    /// there is.
    fn of(len: usize) -> Self {
        let (number, extra, extra_bits) = match len {
            1 => (0, 0, 0),
            LONGEST => (285, 0, 1),
            ..11 => (254 + len, 0, 1),
            _ => {
                let over = len - SHORTEST;
                let bits = over.ilog2() - 2;
                let number = 257 + 4 * bits as usize + (over >> bits);
                (number, over & ((1 << bits) - 1), bits + 1)
            }
        };
        Self::new(number, extra, extra_bits)
    }

    #[inline]
    fn put(&self, codes: &[Code], bits: &mut Bits<'_>) {
        bits.code(codes[self.number]);
        bits.put(self.extra, self.extra_bits);
    }
}

/// The code lengths of a block's header: each a symbol, or 16 to 18 and how often.
fn repeats(lengths: &[u8]) -> Vec<Symbol> {
    let mut repeats = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b) {
        let (value, mut left) = (usize::from(run[0]), run.len());
        if value != 0 {
            repeats.push(Symbol::new(value, 0, 0));
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most, extra_bits) = match (value, left) {
                (0, 11..) => (18, 11, 138, 7),
                (0, _) => (17, 3, 10, 3),
                _ => (16, 3, 6, 2),
            };
            let n = left.min(most);
            repeats.push(Symbol::new(symbol, n - least, extra_bits));
            left -= n;
        }
        repeats.extend((0..left).map(|_| Symbol::new(value, 0, 0)));
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
mod tests;
