//! Convolutions with less than half of the multiplications.
//!
//! Winograd's minimal filtering computes tiles of 2 x 2 values from 4 x 4 inputs with 16 multiplications
//! a pair of channels instead of 36. All else are sums and halves, so the maps come out nearer to exact
//! ones than those of the usual order of summing (see the test). It pays where there are many channels;
//! where there are few, cutting the picture into tiles takes longer than the multiplications saved.
//!
//! Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015,
//! arXiv:1509.09308, section 4.1: F(2 x 2, 3 x 3).

use std::ops::Range;

use tch::{Device, Kind, Tensor};

/// What moving a value in and out of tiles takes, in the multiplications that it may save.
const TILING: usize = 80;

/// With fewer tiles than this, getting the kernels from memory takes longest, and here they are larger.
const FEWEST_TILES: usize = 96;

/// Tiles computed at a time, which bounds the memory that they take.
const MOST_TILES: i64 = 800;

/// The paper's `B^T`: from a row of 4 inputs to the 4 values that are multiplied.
const INPUT: [[f32; 4]; 4] = [
    [1.0, 0.0, -1.0, 0.0],
    [0.0, 1.0, 1.0, 0.0],
    [0.0, -1.0, 1.0, 0.0],
    [0.0, 1.0, 0.0, -1.0],
];
/// The paper's `G`: from a row of 3 weights to the 4 values that are multiplied.
const KERNEL: [[f32; 3]; 4] = [
    [1.0, 0.0, 0.0],
    [0.5, 0.5, 0.5],
    [0.5, -0.5, 0.5],
    [0.0, 0.0, 1.0],
];
/// The left inverse of `G`.
const WEIGHTS: [[f32; 4]; 3] = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, -1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];
/// The paper's `A^T`: from the 4 products to a row of 2 outputs.
const OUTPUT: [[f32; 4]; 2] = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, -1.0]];

/// `kernels` `[out, in, 3, 3]` as this room computes with them, `[16, 1, out, in]`, for input of the shape
/// `[batch, in, height, width]`; `None` where that would not be faster, or where a weight is not finite.
pub(super) fn pack(kernels: &Tensor, [_, _, height, width]: [usize; 4]) -> Option<Tensor> {
    let (out, input, ..) = kernels.size4().ok()?;
    let [many_out, many_in] = [out, input].map(|count| usize::try_from(count).unwrap_or(0));
    let faster = many_out * many_in >= TILING * (many_out + many_in)
        && height.div_ceil(2) * width.div_ceil(2) >= FEWEST_TILES;
    let here = (kernels.device(), kernels.kind()) == (Device::Cpu, Kind::Float);
    if !(faster && here && finite(kernels)) {
        return None;
    }
    let columns = kernels.reshape([out * input, 9]).transpose(0, 1);
    let packed = both_ways(&KERNEL).matmul(&columns);
    Some(packed.view([16, 1, out, input]))
}

/// The convolution of `x` with packed kernels; `None` for kernels that were not packed by [`pack`].
pub(super) fn convolve(x: &Tensor, kernels: &Tensor, bias: &Tensor) -> Option<Tensor> {
    let (16, 1, out, input) = kernels.size4().ok()? else {
        return None;
    };
    let maps = by_tiles(x, &kernels.view([16, out, input]), bias);
    // A value that is not finite has spread over its whole tile.
    if finite(&maps) {
        return Some(maps);
    }
    let weights = both_ways(&WEIGHTS).matmul(&kernels.view([16, out * input]));
    let weights = weights.transpose(0, 1).reshape([out, input, 3, 3]);
    Some(x.conv2d(&weights, Some(bias), [1, 1], [1, 1], [1, 1], 1))
}

/// Shapes: `x` `[batch, in, height, width]`, `kernels` `[16, out, in]`, `bias` `[out]`.
fn by_tiles(x: &Tensor, kernels: &Tensor, bias: &Tensor) -> Tensor {
    let shape = x.size();
    let &[batch, _, height, width] = shape.as_slice() else {
        panic!("a convolution of a tensor of shape {shape:?}");
    };
    let (down, across) = ((height + 1) / 2, (width + 1) / 2);
    // An edge of zeros, and one more where the last tile hangs over.
    let edges = [0, 0, 1, 2 * across - width + 1, 1, 2 * down - height + 1];
    let pixels = x.permute([0, 2, 3, 1]);
    let pixels = pixels.constant_pad_nd(edges).contiguous();
    let shape = [batch, down, 2, across, 2, bias.size()[0]];
    let maps = Tensor::empty(shape, (Kind::Float, Device::Cpu));
    let band = (MOST_TILES / across).max(1);
    for image in 0..batch {
        for top in (0..down).step_by(usize::try_from(band).unwrap_or(1)) {
            let rows = top..down.min(top + band);
            fill_rows(&maps.get(image), &pixels.get(image), rows, kernels, bias);
        }
    }
    maps.view([batch, 2 * down, 2 * across, -1])
        .narrow(1, 0, height)
        .narrow(2, 0, width)
        .contiguous()
        .permute([0, 3, 1, 2])
}

/// Computes some rows of tiles of one image.
///
/// Shapes: `maps` `[down, 2, across, 2, out]`, `pixels` `[2 * down + 2, 2 * across + 2, in]`, the others as
/// for [`by_tiles`].
fn fill_rows(maps: &Tensor, pixels: &Tensor, rows: Range<i64>, kernels: &Tensor, bias: &Tensor) {
    let (down, across) = (rows.end - rows.start, maps.size()[2]);
    let (input, out) = (pixels.size()[2], bias.size()[0]);
    let pixels = pixels.narrow(0, 2 * rows.start, 2 * down + 2);
    let line = pixels.stride()[0];
    // Tiles overlap by two pixels.
    let tiles = pixels.as_strided(
        [4, 4, down, across, input],
        [line, input, 2 * line, 2 * input, 1],
        None,
    );
    let tiles = both_ways(&INPUT).matmul(&tiles.reshape([16, -1]));
    let products = tiles
        .view([16, -1, input])
        .bmm(&kernels.transpose(1, 2))
        .view([16, -1]);
    let outputs = both_ways(&OUTPUT).matmul(&products);
    let outputs = outputs.view([2, 2, down, across, out]);
    let place = maps.narrow(0, rows.start, down);
    let _ = outputs.permute([2, 0, 3, 1, 4]).add_out(&place, bias);
}

/// Whether there is neither NaN nor infinity among the values, nor so much that their sum is infinite.
fn finite(values: &Tensor) -> bool {
    values.sum(Kind::Float).double_value(&[]).is_finite()
}

/// The matrix that does to both sides of a square what `one` does to a row: `one ⊗ one`.
fn both_ways<const FROM: usize, const TO: usize>(one: &[[f32; FROM]; TO]) -> Tensor {
    let one = Tensor::from_slice2(one);
    one.kron(&one)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn random(shape: &[i64]) -> Tensor {
        Tensor::randn(shape, (Kind::Float, Device::Cpu))
    }

    fn usual(x: &Tensor, kernels: &Tensor, bias: &Tensor) -> Tensor {
        x.conv2d(kernels, Some(bias), [1, 1], [1, 1], [1, 1], 1)
    }

    /// The largest difference from maps computed with twice the digits.
    fn off(maps: &Tensor, x: &Tensor, kernels: &Tensor, bias: &Tensor) -> f64 {
        let [x, kernels, bias] = [x, kernels, bias].map(|t| t.to_kind(Kind::Double));
        (maps - usual(&x, &kernels, &bias))
            .abs()
            .max()
            .double_value(&[])
    }

    /// Sides that are odd, several images, and more rows of tiles than are computed at a time.
    #[test]
    fn it_is_nearer_to_exact_maps_than_libtorch() {
        let (kernels, bias) = (random(&[192, 160, 3, 3]) * 0.04, random(&[192]));
        for (batch, height, width) in [(1, 32, 32), (3, 21, 26), (1, 80, 62)] {
            let x = random(&[batch, height, width, 160]).permute([0, 3, 1, 2]);
            // For its rule; whatever comes is computed.
            let packed = pack(&kernels, [1, 160, 20, 20]).unwrap();
            let maps = convolve(&x, &packed, &bias).unwrap();
            assert_eq!(maps.size(), [batch, 192, height, width]);
            assert!(maps.permute([0, 2, 3, 1]).is_contiguous());
            let (ours, theirs) = (
                off(&maps, &x, &kernels, &bias),
                off(&usual(&x, &kernels, &bias), &x, &kernels, &bias),
            );
            assert!(ours <= theirs && ours < 1e-5, "{ours} {theirs}");
        }
    }

    /// One pixel that is not finite reaches its neighbours and no others.
    #[test]
    fn what_is_not_finite_does_not_spread() {
        let (kernels, bias) = (random(&[192, 160, 3, 3]), random(&[192]));
        let packed = pack(&kernels, [1, 160, 20, 20]).unwrap();
        for value in [f64::NAN, f64::INFINITY] {
            let x = random(&[1, 160, 20, 20]);
            let _ = x.get(0).get(7).get(10).get(10).fill_(value);
            let maps = convolve(&x, &packed, &bias).unwrap();
            let expected = usual(&x, &kernels, &bias);
            assert!(maps.isnan().equal(&expected.isnan()));
            assert!(maps.isfinite().equal(&expected.isfinite()));
            let strange = maps.isfinite().logical_not().sum(Kind::Int64);
            assert_eq!(strange.int64_value(&[]), 9 * 192);
            let finite = |maps: &Tensor| maps.nan_to_num(0.0, 0.0, 0.0);
            assert!(finite(&maps).allclose(&finite(&expected), 1e-4, 1e-4, false));
        }
    }

    /// Few channels, few tiles, weights that would spoil their neighbours; and kernels that were packed by
    /// nobody.
    #[test]
    fn what_is_not_for_it_is_left_to_others() {
        assert!(pack(&random(&[128, 128, 3, 3]), [1, 128, 64, 64]).is_none());
        assert!(pack(&random(&[256, 256, 3, 3]), [1, 256, 14, 14]).is_none());
        let spoilt = random(&[192, 160, 3, 3]);
        let _ = spoilt.get(3).get(5).get(0).get(0).fill_(f64::INFINITY);
        assert!(pack(&spoilt, [1, 160, 20, 20]).is_none());
        let kernels = random(&[4, 2, 3, 3]);
        assert!(convolve(&random(&[1, 2, 6, 6]), &kernels, &random(&[4])).is_none());
    }
}
