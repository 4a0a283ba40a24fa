//! What operations are given, and the names of values.

use std::collections::HashMap;

use super::error::Pt2Error;
use super::schema::{self, Float, Optional, Symbol};

/// Where a value of the graph is kept while it is needed.
pub(super) type Place = usize;

/// Any graph has fewer values.
const MOST_PLACES: usize = 1 << 16;

/// No operation is given a longer list.
const MOST_LISTED: usize = 1 << 14;

#[derive(Debug, Clone)]
pub(super) enum Argument {
    None,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Value(Place),
    List(Vec<Argument>),
}

impl Argument {
    /// The values that it is made of.
    pub(super) fn places(&self) -> Vec<Place> {
        match self {
            Self::Value(place) => vec![*place],
            Self::List(all) => all.iter().flat_map(Self::places).collect(),
            _ => Vec::new(),
        }
    }

    /// The whole numbers that it is, those of which are known.
    pub(super) fn ints(&self) -> Vec<i64> {
        match self {
            Self::Int(value) => vec![*value],
            Self::List(all) => all.iter().flat_map(Self::ints).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Self::Int(0)) || matches!(self, Self::Float(value) if value.abs() == 0.0)
    }
}

/// The values whose names are known.
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

    fn value(&self, name: &str) -> Result<Argument, Pt2Error> {
        let place = self.places.get(name).ok_or_else(|| {
            Pt2Error::Graph(format!("value `{name}` is used before anything makes it"))
        })?;
        Ok(Argument::Value(*place))
    }

    fn symbol<T>(
        &self,
        symbol: &Symbol<T>,
        number: impl Fn(&T) -> Argument,
    ) -> Result<Argument, Pt2Error> {
        match symbol {
            Symbol::AsName(name) => self.value(name),
            Symbol::AsInt(value) => Ok(number(value)),
        }
    }

    fn list<T>(
        all: &[T],
        each: impl Fn(&T) -> Result<Argument, Pt2Error>,
    ) -> Result<Argument, Pt2Error> {
        if all.len() > MOST_LISTED {
            let many = format!("a list has {} values", all.len());
            return Err(Pt2Error::Graph(many));
        }
        Ok(Argument::List(
            all.iter().map(each).collect::<Result<_, _>>()?,
        ))
    }

    pub(super) fn argument(&self, argument: &schema::Argument) -> Result<Argument, Pt2Error> {
        use schema::Argument as Given;
        let (int, float, bool) = (
            |value: &i64| Argument::Int(*value),
            |value: &f64| Argument::Float(*value),
            |value: &bool| Argument::Bool(*value),
        );
        let optional = |one: &Optional| match one {
            Optional::AsTensor(tensor) => self.value(&tensor.name),
            Optional::AsNone(_) => Ok(Argument::None),
        };
        match argument {
            Given::AsTensor(tensor) => self.value(&tensor.name),
            Given::AsTensors(all) => Self::list(all, |tensor| self.value(&tensor.name)),
            Given::AsOptionalTensor(one) => optional(one),
            Given::AsOptionalTensors(all) => Self::list(all, optional),
            Given::AsInt(value) => Ok(int(value)),
            Given::AsInts(all) => Self::list(all, |value| Ok(int(value))),
            Given::AsFloat(value) => number(value).map(Argument::Float),
            Given::AsFloats(all) => Self::list(all, |value| number(value).map(Argument::Float)),
            Given::AsBool(value) => Ok(bool(value)),
            Given::AsBools(all) => Self::list(all, |value| Ok(bool(value))),
            Given::AsString(text) => Ok(Argument::Text(text.clone())),
            Given::AsStrings(all) => Self::list(all, |text| Ok(Argument::Text(text.clone()))),
            Given::AsSymInt(one) => self.symbol(one, int),
            Given::AsSymInts(all) => Self::list(all, |one| self.symbol(one, int)),
            Given::AsSymFloat(one) => self.symbol(one, float),
            Given::AsSymFloats(all) => Self::list(all, |one| self.symbol(one, float)),
            Given::AsSymBool(one) => self.symbol(one, bool),
            Given::AsSymBools(all) => Self::list(all, |one| self.symbol(one, bool)),
            Given::AsScalarType(number) => Ok(Argument::Int(i64::from(*number))),
            // No operation that is known takes graphs and objects; one that is not is never run.
            Given::AsNone(_)
            | Given::AsMemoryFormat(_)
            | Given::AsLayout(_)
            | Given::AsDevice(_)
            | Given::AsGraph(_)
            | Given::AsCustomObj(_)
            | Given::AsOperator(_)
            | Given::AsComplex(_) => Ok(Argument::None),
        }
    }
}

fn number(float: &Float) -> Result<f64, Pt2Error> {
    match float {
        Float::Finite(value) => Ok(*value),
        Float::Named(name) => name
            .parse()
            .map_err(|_| Pt2Error::Graph(format!("{name:?} is no number"))),
    }
}
