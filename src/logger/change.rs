//! How much a layer's values changed from one step to another.

use pulp::{Arch, Simd, WithSimd};

use feature_grid::Floats;
use tensorboard_events::Summary;

/// Values that are read and compared at a time: both pieces stay in the first-level cache.
const PIECE: usize = 2048;

/// Running sums side by side, in registers.
const LANES: usize = 16;

/// Sums over two sets of values. Pairs of which one is not finite take no part.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Change {
    /// Of the products.
    product: f64,
    /// Of the squares now.
    new: f64,
    /// Of the squares then.
    old: f64,
    /// Of the squared differences.
    difference: f64,
}

impl Change {
    /// The sums of the products, of the squares now and then, and of the squared differences.
    pub(super) fn of_sums([product, new, old, difference]: [f64; 4]) -> Self {
        Self {
            product,
            new,
            old,
            difference,
        }
    }

    /// Compares values in the same order.
    pub(super) fn between(new: &dyn Floats, old: &dyn Floats) -> Result<Self, String> {
        let arch = Arch::new();
        let mut sums = Self::default();
        let (mut now, mut then) = (vec![0.0; PIECE], vec![0.0; PIECE]);
        for at in (0..new.count()).step_by(PIECE) {
            let length = PIECE.min(new.count() - at);
            new.read(at, &mut now[..length])?;
            old.read(at, &mut then[..length])?;
            sums = sums.merged(arch.dispatch(Compare(&now[..length], &then[..length])));
        }
        Ok(sums)
    }

    pub(super) fn merged(self, other: Self) -> Self {
        Self {
            product: self.product + other.product,
            new: self.new + other.new,
            old: self.old + other.old,
            difference: self.difference + other.difference,
        }
    }

    /// The scalars of `layer` against `reference`, `first` or `previous`.
    pub(super) fn scalars(&self, layer: &str, reference: &str) -> [Summary; 2] {
        let tag = |name: &str| format!("similarity/{layer}/{name}_to_{reference}");
        [
            Summary::scalar(tag("cosine"), self.cosine()),
            Summary::scalar(tag("distance"), self.distance()),
        ]
    }

    /// The cosine of the angle between the two; 1 where all values are 0 then and now.
    fn cosine(&self) -> f64 {
        if self.difference == 0.0 {
            return 1.0;
        }
        let norms = (self.new * self.old).sqrt();
        if norms > 0.0 {
            (self.product / norms).clamp(-1.0, 1.0)
        } else {
            0.0
        }
    }

    /// The norm of the difference, divided by that of the old values; infinite where these are all 0.
    fn distance(&self) -> f64 {
        if self.difference == 0.0 {
            return 0.0;
        }
        (self.difference / self.old).sqrt()
    }
}

/// The sums over one piece.
struct Compare<'a>(&'a [f32], &'a [f32]);

impl WithSimd for Compare<'_> {
    type Output = Change;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
    )]
    fn with_simd<S: Simd>(self, _: S) -> Change {
        let (new, new_rest) = self.0.as_chunks::<LANES>();
        let (old, old_rest) = self.1.as_chunks::<LANES>();
        let mut sums = [[0.0_f32; LANES]; 4];
        for (new, old) in new.iter().zip(old) {
            for i in 0..LANES {
                let is_finite = (new[i] - old[i]) * 0.0 == 0.0;
                let [a, b] = [new[i], old[i]].map(|value| if is_finite { value } else { 0.0 });
                sums[0][i] += a * b;
                sums[1][i] += a * a;
                sums[2][i] += b * b;
                sums[3][i] += (a - b) * (a - b);
            }
        }
        let [product, new, old, difference] =
            sums.map(|lanes| lanes.iter().copied().map(f64::from).sum());
        let mut all = Change::of_sums([product, new, old, difference]);
        for (a, b) in new_rest.iter().zip(old_rest) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            if (a - b).is_finite() {
                let squared = (a - b) * (a - b);
                all = all.merged(Change::of_sums([a * b, a * a, b * b, squared]));
            }
        }
        all
    }
}

/// What `new` has more than `old`.
pub(super) struct Difference<'a> {
    pub(super) new: &'a dyn Floats,
    pub(super) old: &'a dyn Floats,
}

impl Floats for Difference<'_> {
    fn count(&self) -> usize {
        self.new.count()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), String> {
        self.new.read(at, out)?;
        let mut old = [0.0; PIECE];
        for (i, out) in out.chunks_mut(PIECE).enumerate() {
            let old = &mut old[..out.len()];
            self.old.read(at + i * PIECE, old)?;
            for (new, old) in out.iter_mut().zip(old) {
                *new -= *old;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Values(Vec<f32>);

    impl Floats for Values {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn read(&self, at: usize, out: &mut [f32]) -> Result<(), String> {
            out.copy_from_slice(&self.0[at..at + out.len()]);
            Ok(())
        }
    }

    /// Cosine and relative distance as `NumPy` gives them: `x = np.sin(np.arange(5003, dtype='f4'))`,
    /// `y = np.cos(np.arange(5003, dtype='f4') * 1.5) + x`.
    #[test]
    fn cosine_and_distance_are_numpys() {
        let sin = |i: u16| f32::from(i).sin();
        let old = Values((0..5003).map(sin).collect());
        let new = (0..5003).map(|i| (f32::from(i) * 1.5).cos() + sin(i));
        let new = Values(new.collect());
        let change = Change::between(&new, &old).unwrap();
        assert!(
            (change.cosine() - 0.707_085_6).abs() < 1e-6,
            "{}",
            change.cosine()
        );
        assert!(
            (change.distance() - 1.000_143_4).abs() < 1e-6,
            "{}",
            change.distance()
        );
        let same = Change::between(&old, &old).unwrap();
        assert_eq!((same.cosine(), same.distance()), (1.0, 0.0));
        let mut difference = vec![0.0; 5003];
        Difference {
            new: &new,
            old: &old,
        }
        .read(0, &mut difference)
        .unwrap();
        assert!((difference[4000] - (new.0[4000] - old.0[4000])).abs() < 1e-9);
    }

    #[test]
    fn pairs_that_are_not_finite_take_no_part() {
        let mut old = vec![1.0; 40];
        let mut new = vec![2.0; 40];
        (old[3], new[20], new[39]) = (f32::NAN, f32::INFINITY, f32::NAN);
        let change = Change::between(&Values(new), &Values(old)).unwrap();
        assert_eq!((change.cosine(), change.distance()), (1.0, 1.0));
    }

    #[test]
    fn a_layer_that_died_has_no_direction() {
        let (zero, one) = (Values(vec![0.0; 5]), Values(vec![1.0; 5]));
        let died = Change::between(&zero, &one).unwrap();
        assert_eq!((died.cosine(), died.distance()), (0.0, 1.0));
        let born = Change::between(&one, &zero).unwrap();
        assert_eq!((born.cosine(), born.distance()), (0.0, f64::INFINITY));
    }
}
