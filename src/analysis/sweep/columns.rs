//! Which steps have a column in pictures over time.

use crate::analysis::figure::evenly;

/// Columns at most; more cannot be read.
pub(super) const MOST: usize = 24;

/// Chooses the steps, the first one and the last one among them.
pub(super) enum Columns {
    /// These places among the steps: evenly taken, since it is known how many there are.
    Known(Vec<usize>),
    /// Every so many steps, and the newest.
    Open { every: usize },
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    None,
    /// It stays.
    Kept,
    /// It goes when the next one comes.
    Newest,
}

impl Columns {
    /// Of so many steps; `None` where that is not known.
    pub(super) fn of(total: Option<usize>) -> Self {
        match total {
            Some(total) => Self::Known(evenly(total, MOST)),
            None => Self::Open { every: 1 },
        }
    }

    /// Whether it is known which steps have one.
    pub(super) fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// Whether every second column has to go to make room for the step at a place.
    pub(super) fn thin_out(&mut self, place: usize) -> bool {
        match self {
            Self::Open { every } if place.div_ceil(*every) >= MOST => {
                *every *= 2;
                true
            }
            _ => false,
        }
    }

    /// What becomes of the step at a place.
    pub(super) fn at(&self, place: usize) -> Column {
        match self {
            Self::Known(places) if places.contains(&place) => Column::Kept,
            Self::Known(_) => Column::None,
            Self::Open { every } if place.is_multiple_of(*every) => Column::Kept,
            Self::Open { .. } => Column::Newest,
        }
    }

    /// Whether pictures are drawn before the end, after the column of a place: a long run is looked at while it
    /// goes on.
    pub(super) fn is_due(&self, place: usize, draw_every: usize) -> bool {
        match self {
            Self::Known(places) => {
                let column = places.iter().position(|other| *other == place);
                places.len() == MOST
                    && column.is_some_and(|column| {
                        (column + 1).is_multiple_of(draw_every) && column + 1 < places.len()
                    })
            }
            // Whoever follows says when.
            Self::Open { .. } => false,
        }
    }
}

/// Keeps the first of every two.
pub(super) fn every_second<T>(columns: &mut Vec<T>) {
    let mut place = 0..;
    columns.retain(|_| next_is_even(&mut place));
}

fn next_is_even(places: &mut impl Iterator<Item = usize>) -> bool {
    places.next().is_some_and(|place| place.is_multiple_of(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_end_keeps_the_first_and_the_newest_evenly() {
        let mut columns = Columns::of(None);
        let mut shown: Vec<usize> = Vec::new();
        let mut newest = false;
        for place in 0..1000 {
            if newest {
                shown.pop();
            }
            if columns.thin_out(place) {
                every_second(&mut shown);
            }
            newest = columns.at(place) == Column::Newest;
            shown.push(place);
            assert!(shown.len() <= MOST, "{shown:?}");
            assert_eq!((shown[0], shown.last()), (0, Some(&place)));
        }
        let apart: Vec<usize> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            apart[..apart.len() - 1].iter().all(|one| *one == apart[0]),
            "{shown:?}"
        );
        assert!(shown.len() > MOST / 3);
    }
}
