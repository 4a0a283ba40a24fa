//! Small pictures in rows and columns, each with what stands under it.

use plotters::backend::DrawingBackend;

use super::Tiles;
use super::draw::{BLACK, Layout, NONE};
use super::painter::{Anchor, Drawn, Place};

const RED: [u8; 3] = [230, 0, 0];

impl<B: DrawingBackend> Layout<'_, B> {
    pub(super) fn draw_tiles(&self, tiles: &Tiles, plot: Place) -> Drawn<B, Vec<Place>> {
        let (painter, margin) = (&self.painter, (3 * self.gap / 5).max(1));
        let bar = match (tiles.bars.is_empty(), tiles.names.is_empty()) {
            (true, true) => 0,
            (false, _) => painter.line() / 3,
            (true, false) => painter.line(),
        };
        let [width, height] =
            [tiles.width, tiles.height].map(|side| i32::try_from(side).unwrap_or(1).max(1));
        let place = |at: usize| {
            let cell = self.cell(plot, at).grown(-margin - 1);
            let room = [cell.width.max(1), (cell.height - bar).max(1)];
            let is_wide =
                i64::from(room[0]) * i64::from(height) <= i64::from(room[1]) * i64::from(width);
            let (width, height) = if is_wide {
                (room[0], room[0] * height / width)
            } else {
                (room[1] * width / height, room[1])
            };
            Place {
                x: cell.x + (cell.width - width) / 2,
                y: cell.y + (cell.height - bar - height) / 2,
                width,
                height,
            }
        };
        let places: Vec<Place> = (0..tiles.count()).map(place).collect();
        for at in &self.figure.framed {
            if let Some(place) = places.get(*at) {
                painter.frame(place.grown(margin), margin, RED)?;
            }
        }
        for (place, part) in places.iter().zip(&tiles.bars) {
            let below = Place {
                y: place.bottom() + 2,
                height: bar - 2,
                ..*place
            };
            painter.fill(below, NONE)?;
            let part = part.min(1.0);
            // One of 0 and less is seen as well.
            let (length, level) = ((part * place.width as f32) as i32, (part * 200.0) as u8);
            painter.fill(
                Place {
                    width: length.max(2),
                    ..below
                },
                [230 - level, level, 40],
            )?;
        }
        for (place, name) in places.iter().zip(&tiles.names) {
            let (x, y) = (place.x + place.width / 2, place.bottom() + bar / 2);
            painter.text(x, y, Anchor::Center, name, BLACK)?;
        }
        Ok(places)
    }
}
