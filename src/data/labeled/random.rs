//! Where all randomness of this module comes from.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// What numbers are drawn for; each purpose has numbers of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Split = 1,
    Order = 2,
    Augment = 3,
}

/// The numbers for one thing, drawn from nothing but these four: `place` is what is chosen for
/// within the epoch (a sample, a class).
pub(super) fn numbers(purpose: Purpose, seed: u64, epoch: u64, place: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    let parts = [seed, epoch, purpose as u64];
    for (bytes, part) in key.chunks_exact_mut(8).zip(parts) {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(place as u64);
    rng
}

/// A number between the two, `from` included.
pub(super) fn uniform(rng: &mut ChaCha8Rng, from: f64, to: f64) -> f64 {
    from + (to - from) * rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_key_counts() {
        let draw =
            |purpose, seed, epoch, place| numbers(purpose, seed, epoch, place).random::<u64>();
        let first = draw(Purpose::Order, 1, 2, 3);
        assert_eq!(first, draw(Purpose::Order, 1, 2, 3));
        for other in [
            draw(Purpose::Augment, 1, 2, 3),
            draw(Purpose::Order, 2, 2, 3),
            draw(Purpose::Order, 1, 3, 3),
            draw(Purpose::Order, 1, 2, 4),
            draw(Purpose::Order, 2, 1, 3),
        ] {
            assert_ne!(first, other);
        }
    }
}
