//! Feature maps to grids and numbers on the device where they are: what has to be copied is a quarter of the maps.
//!
//! The levels are the host's renderer's, bit for bit: by the same operations in the same order and precision. Maps
//! with values that are not finite, which it paints in colors, are left to it.

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::Tensor as BurnTensor;
use tch::{Kind, TchError, Tensor};

use super::apart::is_apart;
use super::clock::Mark;
use super::guard::{first_line, guarded};
use super::read_back::DeviceBytes;
use feature_grid::{Drawing, NARROWEST, NARROWEST_END, Range};

type Torch<T> = Result<T, TchError>;

/// Maps of a batch on one of libtorch's devices, `[batch, channels, height, width]`.
pub(crate) struct DeviceMaps(Tensor);

/// What a device made of the maps of a batch.
pub(crate) struct Drawn {
    /// `[batch, height, width]` of the grids.
    levels: Tensor,
    /// `[batch, kinds of numbers * channels]`.
    numbers: Tensor,
}

impl DeviceMaps {
    /// `None` where the maps are not libtorch's, or on a device without double precision (Apple's GPU).
    pub(crate) fn of(maps: BurnTensor<4>) -> Option<Self> {
        let DispatchTensorKind::LibTorch(BackendTensor::Float(maps)) = maps.into_dispatch().kind
        else {
            return None;
        };
        let draws = maps.tensor.device() != tch::Device::Mps;
        draws.then_some(Self(maps.tensor))
    }

    /// Whether they are in the host's memory.
    pub(crate) fn are_on_host(&self) -> bool {
        !is_apart(self.0.device())
    }

    /// A number for its device.
    pub(crate) fn place(&self) -> usize {
        match self.0.device() {
            tch::Device::Cuda(number) => number + 1,
            _ => 0,
        }
    }

    /// Whether both are on one device.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.0.device() == other.0.device()
    }

    /// After all that their device was asked for so far.
    pub(crate) fn mark(&self) -> Mark {
        Mark::of(self.0.device())
    }

    /// Their values, in order.
    pub(crate) fn bytes(&self) -> Result<DeviceBytes, String> {
        protected(|| DeviceBytes::of(&self.0))
    }

    /// Draws the grids of all images, of the `chosen` channels or of the first ones, and measures every channel: its
    /// lowest and highest value, mean and variance, how many values are not 0, and how many are outside of a range
    /// that is fixed.
    pub(crate) fn draw(
        &self,
        drawing: &Drawing,
        chosen: Option<&[usize]>,
    ) -> Result<Drawn, String> {
        protected(|| {
            let values = Values::of(&self.0)?;
            let pixels = [values.pixel()];
            let (low, high) = values.ends()?;
            let (variance, mean) = values.rows.f_var_mean_correction(&pixels[..], 0, false)?;
            let not_zero = values.rows.f_norm_scalaropt_dim(0, pixels, false)?;
            let levels = values.levels([&low, &high], drawing, chosen)?;
            let mut numbers = vec![low, high, mean, variance, not_zero];
            if let Range::Fixed(low, high) = drawing.range {
                let clipped = values.rows.f_clamp(f64::from(low), f64::from(high))?;
                let outside = clipped.f_sub(&values.rows)?;
                numbers.push(outside.f_norm_scalaropt_dim(0, pixels, false)?);
            }
            let numbers = Tensor::f_cat(&numbers, 1)?;
            Ok(Drawn { levels, numbers })
        })
    }

    /// Measures the change of every channel from other maps of this shape: the sums of the products, of the squares
    /// now and then, and of the squared differences. With a drawing, draws the difference, whose lowest and highest
    /// values come behind.
    pub(crate) fn change_from(
        &self,
        old: &Self,
        drawing: Option<&Drawing>,
        chosen: Option<&[usize]>,
    ) -> Result<(Option<DeviceBytes>, DeviceBytes), String> {
        protected(|| {
            let mut values = Values::of(&self.0)?;
            let old = values.in_order(&old.0)?;
            let pixels = [values.pixel()];
            let squares = |rows: &Tensor| rows.f_norm_scalaropt_dim(2, pixels, false)?.f_square();
            let products = values.rows.f_mul(&old)?;
            let products = products.f_sum_dim_intlist(&pixels[..], false, Kind::Float)?;
            let mut numbers = vec![products, squares(&values.rows)?, squares(&old)?];
            values.rows = values.rows.f_sub(&old)?;
            numbers.push(squares(&values.rows)?);
            let mut levels = None;
            if let Some(drawing) = drawing {
                let (low, high) = values.ends()?;
                let drawn = values.levels([&low, &high], drawing, chosen)?;
                levels = Some(DeviceBytes::of(&drawn)?);
                numbers.extend([low, high]);
            }
            Ok((levels, DeviceBytes::of(&Tensor::f_cat(&numbers, 1)?)?))
        })
    }
}

impl Drawn {
    /// The levels and the numbers of the image at a place in the batch.
    pub(crate) fn of_image(&self, at: usize) -> Result<[DeviceBytes; 2], String> {
        protected(|| {
            let of_image = |all: &Tensor| DeviceBytes::of(&all.f_get(number(at))?);
            Ok([of_image(&self.levels)?, of_image(&self.numbers)?])
        })
    }
}

/// Maps as they lie in memory.
struct Values {
    /// `[batch, channels, height * width]`, or with the last two exchanged.
    rows: Tensor,
    is_interleaved: bool,
    /// Height and width.
    size: [i64; 2],
}

impl Values {
    fn of(maps: &Tensor) -> Torch<Self> {
        let (.., height, width) = maps.size4()?;
        let by_pixel = maps.f_permute([0, 2, 3, 1])?;
        let mut values = Self {
            rows: maps.shallow_clone(),
            is_interleaved: !maps.is_contiguous() && by_pixel.is_contiguous(),
            size: [height, width],
        };
        values.rows = values.in_order(maps)?;
        Ok(values)
    }

    /// Maps of this shape in this order.
    fn in_order(&self, maps: &Tensor) -> Torch<Tensor> {
        let ordered = if self.is_interleaved {
            maps.f_permute([0, 2, 3, 1])?.f_flatten(1, 2)?
        } else {
            maps.f_flatten(2, 3)?
        };
        ordered.f_to_kind(Kind::Float)?.f_contiguous()
    }

    /// The dimension of the channels.
    fn channel(&self) -> i64 {
        if self.is_interleaved { 2 } else { 1 }
    }

    fn pixel(&self) -> i64 {
        3 - self.channel()
    }

    /// The lowest and the highest value of each channel, `[batch, channels]`; NaN where it has one.
    fn ends(&self) -> Torch<(Tensor, Tensor)> {
        self.rows.f_aminmax(self.pixel(), false)
    }

    /// The grid, `[batch, height, width]`.
    fn levels(
        &self,
        ends: [&Tensor; 2],
        drawing: &Drawing,
        chosen: Option<&[usize]>,
    ) -> Torch<Tensor> {
        let [low, high] = ends.map(|end| shown(end, 1, drawing, chosen));
        let [low, high, span] =
            scales(low?, high?, drawing)?.map(|scale| scale.f_unsqueeze(self.pixel()));
        let (low, high) = (low?, high?);
        let values = shown(&self.rows, self.channel(), drawing, chosen)?.f_mul_scalar(0.5)?;
        let mut levels = values.f_clamp_tensor(Some(&low), Some(&high))?;
        let _ = levels.f_sub_(&low)?;
        let _ = levels.f_div_(&span?)?;
        let _ = levels.f_mul_scalar_(255.0)?;
        if drawing.lowest_level > 0 {
            let _ = levels.f_clamp_min_(i64::from(drawing.lowest_level))?;
        }
        self.tiled(&levels, drawing)
    }

    /// Writes levels, cut off to whole numbers, to their places in the grid.
    fn tiled(&self, levels: &Tensor, drawing: &Drawing) -> Torch<Tensor> {
        let [height, width] = self.size;
        let batch = levels.size3()?.0;
        let numbers = [drawing.count(), drawing.columns(), drawing.rows()].map(number);
        let [count, columns, rows] = numbers;
        let [factor, padding] = [drawing.factor, drawing.padding()].map(number);
        let (cell_height, cell_width) = (height * factor + padding, width * factor + padding);
        let [grid_height, grid_width] = drawing.size().map(number);
        let options = (Kind::Uint8, levels.device());
        let grid = Tensor::f_zeros([batch, grid_height, grid_width], options)?;
        // The grid without its last padding, seen as tiles, and every tile's pixels as squares.
        let tiles = grid
            .f_narrow(1, 0, rows * cell_height)?
            .f_narrow(2, 0, columns * cell_width)?
            .f_view([batch, rows, cell_height, columns, cell_width])?
            .f_narrow(2, padding, height * factor)?
            .f_narrow(4, padding, width * factor)?
            .f_view(&[batch, rows, height, factor, columns, width, factor][..])?;
        let full = count / columns;
        for (first, rows, columns) in [
            (0, full, columns),
            (full, rows - full, count - full * columns),
        ] {
            if rows == 0 {
                continue;
            }
            let part = levels.f_narrow(self.channel(), first * numbers[1], rows * columns)?;
            let part = if self.is_interleaved {
                let part = part.f_reshape([batch, height, width, rows, columns])?;
                part.f_permute([0, 3, 1, 4, 2])?
            } else {
                let part = part.f_reshape([batch, rows, columns, height, width])?;
                part.f_permute([0, 1, 3, 2, 4])?
            };
            let mut place = tiles.f_narrow(1, first, rows)?.f_narrow(4, 0, columns)?;
            place.f_copy_(&part.f_unsqueeze(3)?.f_unsqueeze(6)?)?;
        }
        Ok(grid)
    }
}

/// Half of the lower end, of the higher end and of the width of every map's range, as the host's `Scales` have them.
fn scales(low: Tensor, high: Tensor, drawing: &Drawing) -> Torch<[Tensor; 3]> {
    let (low, high) = match drawing.range {
        Range::Map => (low, high),
        Range::Layer => (low.f_amin([1], true)?, high.f_amax([1], true)?),
        Range::Fixed(first, second) => {
            let end = |end: f32| low.f_full_like(f64::from(end));
            (end(first)?, end(second)?)
        }
    };
    let (low, high) = if drawing.is_symmetric {
        let most = low.f_abs()?.f_maximum(&high.f_abs()?)?;
        let most = most.f_clamp_min(f64::from(NARROWEST_END))?;
        (most.f_neg()?, most)
    } else {
        (low, high)
    };
    let [first, second] = [&low, &high].map(|end| end.f_to_kind(Kind::Double));
    let width = second?.f_sub(&first?)?.f_clamp_min(NARROWEST)?;
    let span = width.f_mul_scalar(0.5)?.f_to_kind(Kind::Float)?;
    Ok([low.f_mul_scalar(0.5)?, high.f_mul_scalar(0.5)?, span])
}

/// Of all channels, which are dimension `channel`, those that are shown, in their order.
fn shown(all: &Tensor, channel: i64, drawing: &Drawing, chosen: Option<&[usize]>) -> Torch<Tensor> {
    match chosen {
        None => all.f_narrow(channel, 0, number(drawing.count())),
        // A list of numbers would have to be uploaded.
        Some(chosen) => {
            let chosen = chosen
                .iter()
                .map(|at| all.f_narrow(channel, number(*at), 1));
            Tensor::f_cat(&chosen.collect::<Torch<Vec<_>>>()?, channel)
        }
    }
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// An error of libtorch, thrown or returned, as its first line.
fn protected<T>(work: impl FnOnce() -> Torch<T>) -> Result<T, String> {
    guarded(work)?.map_err(|error| first_line(&error.to_string()))
}

#[cfg(test)]
mod tests;
