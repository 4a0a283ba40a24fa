//! Feature maps that are read in pieces against the same ones in a slice.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::cell::Cell;

use feature_grid::{
    Colormap, Floats, Layout, Maps, Range, ReadError, RenderError, Rendered, Style, feature_maps,
};
use proptest::prelude::*;

/// Values that cannot be borrowed, and what was asked of them.
struct Pieces {
    values: Vec<f32>,
    /// Reads that succeed before one does not.
    good: usize,
    reads: Cell<usize>,
    /// The end of the furthest read.
    end: Cell<usize>,
}

impl Pieces {
    fn new(values: &[f32]) -> Self {
        Self {
            values: values.to_vec(),
            good: usize::MAX,
            reads: Cell::new(0),
            end: Cell::new(0),
        }
    }
}

impl Floats for Pieces {
    fn count(&self) -> usize {
        self.values.len()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), ReadError> {
        assert!(!out.is_empty());
        if self.reads.get() == self.good {
            return Err("the device was unplugged".to_owned().into());
        }
        self.reads.set(self.reads.get() + 1);
        self.end.set(self.end.get().max(at + out.len()));
        out.copy_from_slice(&self.values[at..at + out.len()]);
        Ok(())
    }
}

/// `[channels, height, width]` of layers that need several pieces, none of which ends with a map
/// or with the layer; rows of one map or of all maps that are more than a piece; one short piece.
const SHAPES: [[usize; 3]; 5] = [
    [70, 61, 33],
    [67, 3, 1001],
    [2, 2, 66_001],
    [1, 1027, 129],
    [5, 7, 3],
];

/// Noise; of `every` values the last is not finite.
fn noise(count: usize, every: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut values: Vec<f32> = (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(state.to_be_bytes()[0]) + f32::from(state.to_be_bytes()[1]) / 256.0 - 99.0
        })
        .collect();
    let strange = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    for (value, strange) in values
        .iter_mut()
        .skip(every - 1)
        .step_by(every)
        .zip(strange.into_iter().cycle())
    {
        *value = strange;
    }
    values
}

fn of_pieces(
    pieces: &dyn Floats,
    shape: [usize; 3],
    layout: Layout,
    style: &Style,
) -> Result<Rendered, RenderError> {
    feature_maps(&Maps::new(pieces, shape, layout).unwrap(), style)
}

/// Renders in pieces what is also rendered as a slice, and checks that the pictures are one.
fn both(values: &[f32], shape: [usize; 3], layout: Layout, style: &Style) -> Pieces {
    let maps = Maps::new(&values, shape, layout).unwrap();
    let expected = feature_maps(&maps, style).unwrap();
    let pieces = Pieces::new(values);
    let found = of_pieces(&pieces, shape, layout, style).unwrap();
    // Not assert_eq!, which would print megabytes.
    assert!(
        found.picture == expected.picture,
        "{shape:?} {layout:?} {style:?}"
    );
    assert_eq!(found.range, expected.range);
    assert_eq!(found.non_finite, expected.non_finite);
    pieces
}

#[test]
fn pieces_make_the_picture_of_the_slice() {
    let styles = [
        (Range::Map, Colormap::Gray),
        (Range::Map, Colormap::Diverging),
        (Range::Layer, Colormap::Viridis),
        (Range::Fixed(-50.0, 70.0), Colormap::Gray),
    ];
    for shape in SHAPES {
        let count: usize = shape.iter().product();
        for (every, passes) in [(count + 1, 2), (count / 9, 3)] {
            let values = noise(count, every);
            for layout in [Layout::Planar, Layout::Interleaved] {
                for (range, colormap) in styles {
                    for max_maps in [None, Some(1), Some(3)] {
                        let style = Style {
                            range,
                            max_maps,
                            colormap,
                            ..Style::default()
                        };
                        let pieces = both(&values, shape, layout, &style);
                        if max_maps.is_none() && shape != SHAPES[4] {
                            assert!(pieces.reads.get() > passes, "more than one piece a pass");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn values_are_read_once_and_those_that_are_shown_once_more() {
    let shape = [5, 7, 3];
    let values = noise(105, 200);
    let two = Style {
        max_maps: Some(2),
        ..Style::default()
    };
    let planar = both(&values, shape, Layout::Planar, &two);
    assert_eq!((planar.reads.get(), planar.end.get()), (2, 105));
    let interleaved = both(&values, shape, Layout::Interleaved, &two);
    assert_eq!((interleaved.reads.get(), interleaved.end.get()), (2, 105));
}

#[test]
fn what_can_be_borrowed_is_not_read() {
    struct Slice(Vec<f32>);
    impl Floats for Slice {
        fn count(&self) -> usize {
            self.0.len()
        }
        fn read(&self, _: usize, _: &mut [f32]) -> Result<(), ReadError> {
            Err("not needed".to_owned().into())
        }
        fn slice(&self) -> Option<&[f32]> {
            Some(&self.0)
        }
    }
    let values = noise(105, 20);
    let maps = Maps::new(&values, [5, 7, 3], Layout::Interleaved).unwrap();
    let expected = feature_maps(&maps, &Style::default()).unwrap();
    let slice = Slice(values.clone());
    let found = of_pieces(&slice, [5, 7, 3], Layout::Interleaved, &Style::default()).unwrap();
    assert_eq!(found.picture, expected.picture);
}

#[test]
fn a_read_that_fails_says_why() {
    // With values that are not finite there are three passes: extremes, levels, paint.
    let values = noise(SHAPES[0].iter().product(), 1000);
    for layout in [Layout::Planar, Layout::Interleaved] {
        let all = both(&values, SHAPES[0], layout, &Style::default())
            .reads
            .get();
        for good in 0..all {
            let pieces = Pieces {
                good,
                ..Pieces::new(&values)
            };
            let error = of_pieces(&pieces, SHAPES[0], layout, &Style::default()).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the values could not be read: the device was unplugged"
            );
        }
    }
    let pieces = Pieces::new(&values[1..]);
    let error = Maps::new(&pieces, SHAPES[0], Layout::Planar).err().unwrap();
    assert_eq!(
        error.to_string(),
        "shape [70, 61, 33] needs 140910 values, found 140909"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pieces_of_any_shape_make_the_picture_of_the_slice(
        shape in (1_usize..90, 1_usize..60, 1_usize..60).prop_map(|(c, h, w)| [c, h, w]),
        interleaved: bool,
        every in prop_oneof![1_usize..50, Just(usize::MAX)],
        max_maps in proptest::option::of(0_usize..90),
    ) {
        let values = noise(shape.iter().product(), every);
        let layout = if interleaved { Layout::Interleaved } else { Layout::Planar };
        both(&values, shape, layout, &Style { max_maps, ..Style::default() });
    }
}
