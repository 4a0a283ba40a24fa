//! Sums over pairs of values, an old and a new one: what cosines, distances and norms come from.

use std::iter::Sum;

use burn::tensor::{FloatDType, Tensor};
use feature_grid::{Floats, ReadError};
use pulp::{Arch, Simd, WithSimd};

const PIECE: usize = 1 << 14;

/// Values made wide together before they are summed: one loop for both becomes shuffles, 3.3 times as slow.
const BLOCK: usize = 64;

/// Vectors of running sums next to each other, so that none waits for the one before.
const CHAINS: usize = 2;

/// Values of a tensor whose sums are taken together: in double precision, with all intermediate results, 150 MB.
const PORTION: usize = 1 << 22;

/// Sums over pairs of values, in double precision: no square of a finite `f32` overflows or becomes 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct PairSums {
    pub(crate) product: f64,
    /// Of the squares of the old values.
    pub(crate) old: f64,
    /// Of the squares of the new values.
    pub(crate) new: f64,
    /// Of the squared differences.
    pub(crate) difference: f64,
}

impl PairSums {
    /// Over all pairs; what is NaN or infinite makes its sums so.
    pub(crate) fn over(old: &[f32], new: &[f32]) -> Self {
        Arch::new().dispatch(Pairs { old, new })
    }

    /// Over all pairs of values that are read, in the same order.
    pub(crate) fn of_floats(old: &dyn Floats, new: &dyn Floats) -> Result<Self, ReadError> {
        let mut sums = Self::default();
        let (mut then, mut now) = (vec![0.0; PIECE], vec![0.0; PIECE]);
        for at in (0..new.count()).step_by(PIECE) {
            let length = PIECE.min(new.count() - at);
            old.read(at, &mut then[..length])?;
            new.read(at, &mut now[..length])?;
            sums = sums.merged(Self::over(&then[..length], &now[..length]));
        }
        Ok(sums)
    }

    /// Over each row of tensors on one device, `[rows, values]`, where they are: `[rows, 4]` in double precision,
    /// which [`read`](Self::read) takes. What is NaN or infinite makes its sums so.
    pub(crate) fn over_rows(old: Tensor<2>, new: Tensor<2>) -> Tensor<2> {
        let rows = (PORTION / old.dims()[1].max(1)).max(1);
        let portions = old.split(rows, 0).into_iter().zip(new.split(rows, 0));
        let sums = portions.map(|(old, new)| {
            let [old, new] = [old, new].map(|values| values.cast(FloatDType::F64));
            let difference = new.clone() - old.clone();
            let squares = [&old, &new, &difference].map(|values| values.clone() * values.clone());
            let products = [new * old].into_iter().chain(squares);
            Tensor::cat(products.map(|products| products.sum_dim(1)).collect(), 1)
        });
        Tensor::cat(sums.collect(), 0)
    }

    /// What [`over_rows`](Self::over_rows) found, row by row.
    pub(crate) fn read(sums: &[f64]) -> impl Iterator<Item = Self> {
        let of_row = |&[product, old, new, difference]: &[f64; 4]| Self {
            product,
            old,
            new,
            difference,
        };
        sums.as_chunks().0.iter().map(of_row)
    }

    pub(crate) fn merged(self, other: Self) -> Self {
        Self {
            product: self.product + other.product,
            old: self.old + other.old,
            new: self.new + other.new,
            difference: self.difference + other.difference,
        }
    }

    /// 1 where they are equal, also where both are all 0, and 0 where one is.
    pub(crate) fn cosine(&self) -> f64 {
        match self.old.sqrt() * self.new.sqrt() {
            _ if self.difference == 0.0 => 1.0,
            norms if norms > 0.0 => (self.product / norms).clamp(-1.0, 1.0),
            0.0 => 0.0,
            _ => f64::NAN,
        }
    }

    /// The Euclidean norm of the difference over that of the old values; infinite where these are all 0.
    pub(crate) fn relative(&self) -> f64 {
        if self.difference == 0.0 {
            return 0.0;
        }
        (self.difference / self.old).sqrt()
    }

    /// The least-squares factor from the old values to the new ones; NaN where the old ones are all 0.
    pub(crate) fn factor(&self) -> f64 {
        self.product / self.old
    }

    pub(crate) fn distance(&self) -> f64 {
        self.difference.sqrt()
    }

    pub(crate) fn old_norm(&self) -> f64 {
        self.old.sqrt()
    }

    pub(crate) fn new_norm(&self) -> f64 {
        self.new.sqrt()
    }

    /// Whether values that were not all 0 are now.
    pub(crate) fn is_zeroed(&self) -> bool {
        self.old > 0.0 && self.new == 0.0
    }

    pub(crate) fn came_back(&self) -> bool {
        self.old == 0.0 && self.new > 0.0
    }
}

impl Sum for PairSums {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Self::merged)
    }
}

struct Pairs<'a> {
    old: &'a [f32],
    new: &'a [f32],
}

impl WithSimd for Pairs<'_> {
    type Output = PairSums;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
    )]
    fn with_simd<S: Simd>(self, simd: S) -> PairSums {
        let (old, old_rest) = self.old.as_chunks::<BLOCK>();
        let (new, new_rest) = self.new.as_chunks::<BLOCK>();
        let [mut product, mut olds, mut news, mut difference] = [[simd.splat_f64s(0.0); CHAINS]; 4];
        for (old, new) in old.iter().zip(new) {
            let (mut a, mut b) = ([0.0; BLOCK], [0.0; BLOCK]);
            for i in 0..BLOCK {
                (a[i], b[i]) = (f64::from(old[i]), f64::from(new[i]));
            }
            let [a, b] = [&a, &b].map(|wide| S::as_simd_f64s(wide).0.as_chunks::<CHAINS>().0);
            for (a, b) in a.iter().zip(b) {
                for i in 0..CHAINS {
                    let (a, b) = (a[i], b[i]);
                    let apart = simd.sub_f64s(b, a);
                    product[i] = simd.mul_add_e_f64s(a, b, product[i]);
                    olds[i] = simd.mul_add_e_f64s(a, a, olds[i]);
                    news[i] = simd.mul_add_e_f64s(b, b, news[i]);
                    difference[i] = simd.mul_add_e_f64s(apart, apart, difference[i]);
                }
            }
        }
        let [product, old, new, difference] = [product, olds, news, difference]
            .map(|[a, b]| simd.reduce_sum_f64s(simd.add_f64s(a, b)));
        let mut sums = PairSums {
            product,
            old,
            new,
            difference,
        };
        for (&old, &new) in old_rest.iter().zip(new_rest) {
            let (a, b) = (f64::from(old), f64::from(new));
            sums.product += a * b;
            sums.old += a * a;
            sums.new += b * b;
            sums.difference += (b - a) * (b - a);
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_near(found: f64, expected: f64) {
        let error = (found - expected).abs() / expected.abs();
        assert!(error < 1e-12, "{found}, expected {expected}");
    }

    /// `NumPy`: `x = np.sin(np.arange(5003, dtype='f4'))`, `y = np.cos(np.arange(5003, dtype='f4') * 1.5) + x`, the
    /// cosine of their angle and the relative distance in float64, whatever both are scaled by. The last scales
    /// squared are above and below all of single precision.
    // Verified: NumPy | cosine and distance of tensors at any scale | 1e-6
    #[test]
    fn sums_are_numpys_at_every_scale() {
        let sin = |i: u16| f32::from(i).sin();
        let old: Vec<f32> = (0..5003).map(sin).collect();
        let new: Vec<f32> = (0..5003)
            .map(|i| (f32::from(i) * 1.5).cos() + sin(i))
            .collect();
        for scale in [
            1.0,
            f32::powi(2.0, 72),
            f32::powi(2.0, 125),
            f32::powi(2.0, -100),
        ] {
            let [old, new] =
                [&old, &new].map(|all| all.iter().map(|value| value * scale).collect::<Vec<_>>());
            let sums = PairSums::over(&old, &new);
            let [cosine, relative] = [sums.cosine(), sums.relative()];
            assert!((cosine - 0.707_085_6).abs() < 1e-6, "{cosine}");
            assert!((relative - 1.000_143_4).abs() < 1e-6, "{relative}");
            let same = PairSums::over(&old, &old);
            assert_eq!((same.cosine(), same.relative()), (1.0, 0.0));
        }
        // Squares of 4.8e21, exactly.
        let (old, new) = (vec![4.8e21_f32; 19], vec![-2.4e21_f32; 19]);
        let sums = PairSums::over(&old, &new);
        let square = f64::from(4.8e21_f32) * f64::from(4.8e21_f32);
        assert_near(sums.old, 19.0 * square);
        assert_near(sums.difference, 19.0 * 2.25 * square);
        assert_near(sums.relative(), 1.5);
        assert_near(sums.cosine(), -1.0);
    }

    #[test]
    fn a_device_sums_up_what_the_host_does() {
        let values = |factor: f32| (0_u16..35).map(move |i| (f32::from(i) * factor).sin() * 4.8e21);
        let (old, new): (Vec<_>, Vec<_>) = (values(1.0).collect(), values(1.5).collect());
        for device in crate::device::test_devices() {
            let rows = |all: &[f32]| Tensor::<1>::from_floats(all, &device).reshape([5, 7]);
            let sums = PairSums::over_rows(rows(&old), rows(&new)).into_data();
            let sums = PairSums::read(sums.as_slice().unwrap());
            let rows = old.chunks(7).zip(new.chunks(7));
            for (found, (old, new)) in sums.zip(rows) {
                let expected = PairSums::over(old, new);
                assert_near(found.product, expected.product);
                assert_near(found.old, expected.old);
                assert_near(found.new, expected.new);
                assert_near(found.difference, expected.difference);
            }
        }
    }

    /// All of them, some, and squares that are finite in double precision only.
    #[test]
    fn what_is_not_finite_has_no_direction_and_no_distance() {
        let finite = vec![1.0; 40];
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut one = finite.clone();
            one[39] = value;
            for sums in [
                PairSums::over(&finite, &one),
                PairSums::over(&one, &finite),
                PairSums::over(&one, &one),
                PairSums::over(&[value; 40], &finite),
                PairSums::over(&[0.0; 40], &[value; 40]),
            ] {
                assert!(sums.cosine().is_nan(), "{sums:?}");
                assert!(!sums.relative().is_finite(), "{sums:?}");
            }
        }
        let sums = PairSums::over(&[f32::MAX; 9], &[f32::MIN; 9]);
        assert_eq!((sums.cosine(), sums.relative()), (-1.0, 2.0));
    }

    #[test]
    fn what_is_all_zero_has_no_direction() {
        let (zero, one) = ([0.0; 5], [1.0; 5]);
        let zeroed = PairSums::over(&one, &zero);
        assert_eq!((zeroed.cosine(), zeroed.relative()), (0.0, 1.0));
        assert!(zeroed.is_zeroed() && !zeroed.came_back());
        let back = PairSums::over(&zero, &one);
        assert_eq!((back.cosine(), back.relative()), (0.0, f64::INFINITY));
        assert!(back.came_back() && !back.is_zeroed());
    }
}
