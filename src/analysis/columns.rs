//! Which steps have a column in images over time.

use std::collections::BTreeMap;

use super::figure::evenly;

/// Columns at most; more cannot be read.
const MOST: usize = 24;

/// Columns after which images over time are drawn again.
const DRAWN_EVERY: usize = 8;

pub(crate) struct Columns {
    /// The places among all steps that have one; `None` where it is not known how many steps there are.
    places: Option<Vec<usize>>,
    /// Without known places: every so many steps, and the newest.
    every: usize,
    /// Steps that earlier processes logged.
    earlier: usize,
    /// The place and the number of each step that has one.
    shown: Vec<(usize, i64)>,
}

impl Columns {
    pub(super) fn of(total: Option<usize>) -> Self {
        Self {
            places: total.map(|total| evenly(total, MOST)),
            every: 1,
            earlier: 0,
            shown: Vec::new(),
        }
    }

    pub(super) fn begin_behind(&mut self, earlier: usize) {
        self.earlier = earlier;
        self.spread(earlier.saturating_sub(1));
    }

    /// Whether the step at a place, of those of earlier processes, has one.
    pub(super) fn includes(&self, place: usize) -> bool {
        match &self.places {
            Some(places) => places.contains(&place),
            None => place.is_multiple_of(self.every) || place + 1 == self.earlier,
        }
    }

    fn spread(&mut self, newest: usize) {
        while newest.div_ceil(self.every) >= MOST {
            self.every *= 2;
        }
    }

    /// Makes room for the step at a place; returns whether it has a column.
    pub(super) fn begin(&mut self, place: usize, step: i64) -> bool {
        if self.places.is_some() {
            if self.includes(place) {
                self.shown.push((place, step));
            }
            return self.includes(place);
        }
        self.spread(place);
        // The newest one goes when the next one comes.
        self.shown
            .retain(|(place, _)| place.is_multiple_of(self.every));
        self.shown.push((place, step));
        true
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = i64> {
        self.shown.iter().map(|(_, step)| *step)
    }

    /// Keeps the column of a step, and only those of steps that have one still.
    pub(crate) fn keep<T>(&self, columns: &mut BTreeMap<i64, T>, step: i64, column: T) {
        columns.retain(|step, _| self.steps().any(|shown| shown == *step));
        columns.insert(step, column);
    }

    /// Whether images are drawn after this place already: people watch a long run. One that is followed says so itself.
    pub(super) fn is_due(&self, place: usize) -> bool {
        let Some(places) = self.places.as_ref().filter(|places| places.len() == MOST) else {
            return false;
        };
        let column = places.iter().position(|other| *other == place);
        column.is_some_and(|column| {
            (column + 1).is_multiple_of(DRAWN_EVERY) && column + 1 < places.len()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_end_keeps_the_first_and_the_newest_evenly() {
        let mut columns = Columns::of(None);
        let mut kept = BTreeMap::new();
        for place in 0..1000_i64 {
            assert!(columns.begin(usize::try_from(place).unwrap(), place));
            columns.keep(&mut kept, place, place);
            let shown: Vec<i64> = columns.steps().collect();
            assert_eq!(kept.keys().copied().collect::<Vec<_>>(), shown);
            assert!(shown.len() <= MOST, "{shown:?}");
            assert_eq!((shown[0], shown.last()), (0, Some(&place)));
        }
        let shown: Vec<i64> = columns.steps().collect();
        let apart: Vec<i64> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let evenly = |apart: &[i64]| apart.iter().all(|one| *one == apart[0]);
        assert!(evenly(&apart[..apart.len() - 1]), "{shown:?}");
        assert!(shown.len() > MOST / 3);
    }

    #[test]
    fn what_goes_on_has_the_columns_of_what_was_not_interrupted() {
        for earlier in [1, 2, 24, 25, 100, 257] {
            let (mut whole, mut other) = (Columns::of(None), Columns::of(None));
            for place in 0..earlier {
                whole.begin(place, 0);
            }
            other.begin_behind(earlier);
            let again = (0..earlier).filter(|place| other.includes(*place));
            for place in again.collect::<Vec<_>>() {
                other.begin(place, 0);
            }
            assert_eq!(whole.shown, other.shown);
            for place in earlier..300 {
                whole.begin(place, 0);
                other.begin(place, 0);
                assert_eq!(whole.shown, other.shown);
            }
        }
    }

    #[test]
    fn a_known_number_of_steps_has_known_columns() {
        let mut columns = Columns::of(Some(100));
        let shown: Vec<usize> = (0..100).filter(|place| columns.begin(*place, 0)).collect();
        assert_eq!((shown.len(), shown[0], shown[23]), (MOST, 0, 99));
        let drawn: Vec<usize> = (0..100).filter(|place| columns.is_due(*place)).collect();
        assert_eq!(drawn, [shown[7], shown[15]]);
    }
}
