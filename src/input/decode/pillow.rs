//! Pillow's conversions to 8-bit RGB, value for value (`src/libImaging/Convert.c`).

/// Grey -> RGB.
pub(super) fn grey(values: impl IntoIterator<Item = u8>) -> Vec<u8> {
    values.into_iter().flat_map(|v| [v; 3]).collect()
}

/// Modes `I` and `I;16` -> `L`: cut off at both ends.
pub(super) fn cut(value: i64) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

/// Mode `F` -> `L`: cut off at both ends, fractions dropped, NaN is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating cast is what Pillow does: below 0 is 0, above 255 is 255, NaN is 0"
)]
pub(super) fn cut_float(value: f32) -> u8 {
    value as u8
}

/// A 16-bit colour sample -> its upper 8 bits.
pub(super) fn upper(value: u16) -> u8 {
    value.to_be_bytes()[0]
}

/// CMYK (0 is no ink) -> RGB, without a profile: `(255 - k) * (255 - c) / 255`, rounded as Pillow's
/// `MULDIV255` does.
pub(super) fn cmyk([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = 255 - u32::from(k);
    [c, m, y].map(|ink| {
        let product = u32::from(ink) * light + 128;
        let taken = ((product >> 8) + product) >> 8;
        cut(i64::from(light.saturating_sub(taken)))
    })
}

/// A colour that was stored multiplied by its alpha -> the colour (mode `RGBa` -> `RGBA`).
pub(super) fn unmultiplied([r, g, b, a]: [u8; 4]) -> [u8; 3] {
    match a {
        0 => [0; 3],
        255 => [r, g, b],
        _ => [r, g, b].map(|v| cut(i64::from(v) * 255 / i64::from(a))),
    }
}
