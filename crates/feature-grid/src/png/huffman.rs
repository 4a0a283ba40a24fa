//! Huffman codes as deflate wants them: canonical, complete and limited in length.

/// The longest code this encoder uses; deflate allows 15. Four codes and the up to seven bits left
/// over from before then fit into one 64-bit word, so that the writer stores once in four symbols.
pub(super) const MAX_BITS: u8 = 12;

/// One symbol's code, its bits reversed as deflate sends them (first bit lowest).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) len: u16,
}

/// Code lengths for `counts`, none longer than `limit`; 0 for a symbol that does not occur.
///
/// The lengths fill the code space exactly (decoders refuse an incomplete code) whenever at least
/// two symbols occur. They are Huffman's unless that tree is deeper than `limit`; then the rarest
/// symbols that can are lengthened until the code fits and the commonest take back what is left.
pub(super) fn lengths<const N: usize>(counts: &[u32; N], limit: u8) -> [u8; N] {
    let mut lengths = [0; N];
    let mut symbols: Vec<(u32, usize)> = counts
        .iter()
        .enumerate()
        .filter(|&(_, &count)| count > 0)
        .map(|(symbol, &count)| (count, symbol))
        .collect();
    symbols.sort_unstable();
    let mut depths = tree_depths(&symbols);
    limit_depths(&mut depths, limit);
    for (&(_, symbol), depth) in symbols.iter().zip(depths) {
        lengths[symbol] = depth;
    }
    lengths
}

/// Depth of every leaf of the Huffman tree over `symbols`, which come rarest first.
///
/// Two queues stand in for a heap: inner nodes are made in the order of their weight.
fn tree_depths(symbols: &[(u32, usize)]) -> Vec<u8> {
    let leaves = symbols.len();
    if leaves < 2 {
        return vec![1; leaves];
    }
    let mut weights: Vec<u64> = symbols.iter().map(|&(count, _)| u64::from(count)).collect();
    let mut parents = vec![0; 2 * leaves - 1];
    let (mut leaf, mut inner) = (0, leaves);
    for node in leaves..2 * leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let take_leaf = leaf < leaves && (inner == node || weights[leaf] <= weights[inner]);
            let next = if take_leaf { &mut leaf } else { &mut inner };
            weight += weights[*next];
            parents[*next] = node;
            *next += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0_u8; 2 * leaves - 1];
    for node in (0..2 * leaves - 2).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    depths.truncate(leaves);
    depths
}

/// Brings every depth down to `limit` and the code back to exactly full; rarest symbols come first.
///
/// At the end nothing can be left over: all shares are multiples of the deepest symbol's, so a
/// rest would be at least that symbol's share, and it would have been given to it.
fn limit_depths(depths: &mut [u8], limit: u8) {
    let full = 1_u32 << limit;
    let share = |depth: u8| full >> depth;
    for depth in depths.iter_mut() {
        *depth = (*depth).min(limit);
    }
    let mut used: u32 = depths.iter().map(|&depth| share(depth)).sum();
    for depth in depths.iter_mut() {
        while used > full && *depth < limit {
            *depth += 1;
            used -= share(*depth);
        }
    }
    for depth in depths.iter_mut().rev() {
        while *depth > 1 && used + share(*depth) <= full {
            used += share(*depth);
            *depth -= 1;
        }
    }
}

/// The canonical codes of `lengths` (RFC 1951, 3.2.2).
pub(super) fn codes<const N: usize>(lengths: &[u8; N]) -> [Code; N] {
    let mut counts = [0; 16];
    for &len in lengths.iter().filter(|&&len| len > 0) {
        counts[usize::from(len)] += 1;
    }
    let mut next = [0_u16; 16];
    for len in 1..16 {
        next[len] = (next[len - 1] + counts[len - 1]) << 1;
    }
    lengths.map(|len| {
        if len == 0 {
            return Code::default();
        }
        let code = &mut next[usize::from(len)];
        let bits = code.reverse_bits() >> (16 - len);
        *code += 1;
        Code {
            bits,
            len: u16::from(len),
        }
    })
}
