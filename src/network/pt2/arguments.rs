//! What operations are given, and the names of values.

use std::collections::HashMap;

use super::error::Pt2Error;
use super::schema::{Argument, Name};
use super::value::{Place, Value};

/// Any graph has fewer values.
const MOST_PLACES: usize = 1 << 16;

/// No operation is given a longer list.
const MOST_LISTED: usize = 1 << 14;

/// The values whose names are known.
#[derive(Default)]
pub(super) struct Names {
    pub(super) places: HashMap<String, Place>,
}

impl Names {
    pub(super) fn add(&mut self, name: &str) -> Result<Place, Pt2Error> {
        let place = self.places.len();
        if place == MOST_PLACES {
            let many = format!("it has more than {MOST_PLACES} values");
            return Err(Pt2Error::Graph(many));
        }
        match self.places.insert(name.to_owned(), place) {
            None => Ok(place),
            Some(_) => Err(Pt2Error::Graph(format!("value `{name}` is made twice"))),
        }
    }

    fn value(&self, name: &str) -> Result<Value, Pt2Error> {
        let place = self.places.get(name).ok_or_else(|| {
            Pt2Error::Graph(format!("value `{name}` is used before anything makes it"))
        })?;
        Ok(Value::At(*place))
    }

    fn list<T>(all: &[T], each: impl Fn(&T) -> Result<Value, Pt2Error>) -> Result<Value, Pt2Error> {
        if all.len() > MOST_LISTED {
            let many = format!("a list has {} values", all.len());
            return Err(Pt2Error::Graph(many));
        }
        Ok(Value::List(all.iter().map(each).collect::<Result<_, _>>()?))
    }

    pub(super) fn argument(&self, argument: &Argument) -> Result<Value, Pt2Error> {
        match argument {
            Argument::AsNone(_) => Ok(Value::None),
            Argument::AsTensor(Name { name }) | Argument::AsName(name) => self.value(name),
            Argument::AsTensors(all) => Self::list(all, |tensor| self.value(&tensor.name)),
            Argument::AsInt(literal) => Ok(literal.clone()),
            Argument::AsInts(all) => Self::list(all, |literal| Ok(literal.clone())),
            Argument::AsSymInt(one) => self.argument(one),
            Argument::AsSymInts(all) => Self::list(all, |one| self.argument(one)),
        }
    }
}
