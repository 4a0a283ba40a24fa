//! Bits to bytes.

use super::huffman::Code;

pub(super) struct Bits<'a> {
    out: &'a mut Vec<u8>,
    /// Where the next whole byte goes; beyond it `out` holds zeros not yet written over.
    at: usize,
    /// Fewer than 8 bits that are not in `out` yet.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let at = out.len();
        Self {
            out,
            at,
            held: 0,
            count: 0,
        }
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        let needed = self.at + bytes;
        if self.out.len() < needed {
            self.out.resize(needed, 0);
        }
    }

    /// Writes the lowest `count` bits of `bits`, at most 56; the others must be 0.
    #[inline]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        self.out[self.at..self.at + 8].copy_from_slice(&self.held.to_le_bytes());
        let whole = self.count / 8;
        self.at += whole as usize;
        self.held >>= whole * 8;
        self.count %= 8;
    }

    #[inline]
    pub(super) fn code(&mut self, code: Code) {
        self.put(u64::from(code.bits), u32::from(code.len));
    }

    /// Writes the codes of `bytes`, four in one go.
    pub(super) fn literals(&mut self, bytes: &[u8], codes: &[Code; 256]) {
        let (words, rest) = bytes.as_chunks::<4>();
        for word in words {
            let (mut bits, mut count) = (0, 0);
            for byte in word {
                let code = codes[usize::from(*byte)];
                bits |= u64::from(code.bits) << count;
                count += u32::from(code.len);
            }
            self.put(bits, count);
        }
        for byte in rest {
            self.code(codes[usize::from(*byte)]);
        }
    }

    /// Appends bytes but for the highest `padding` bits of the last one, which must be 0.
    pub(super) fn append(&mut self, bytes: &[u8], padding: u32) {
        let Some((last, whole)) = bytes.split_last() else {
            return;
        };
        self.reserve(bytes.len() + 8);
        let (words, rest) = whole.as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word);
            let joined = self.held | word << self.count;
            self.out[self.at..self.at + 8].copy_from_slice(&joined.to_le_bytes());
            self.at += 8;
            // In two steps, since a shift by 64 is none.
            self.held = word >> 1 >> (63 - self.count);
        }
        for byte in rest {
            self.put(u64::from(*byte), 8);
        }
        self.put(u64::from(*last), 8 - padding);
    }

    /// Fills up the last byte and returns how many bits it lacked.
    pub(super) fn finish(mut self) -> u32 {
        let padding = (8 - self.count) % 8;
        self.reserve(8);
        self.put(0, padding);
        self.out.truncate(self.at);
        padding
    }
}
