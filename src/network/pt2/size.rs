//! Sizes that the input's sizes decide, as `SymPy` writes them: `Add(FloorDiv(Symbol('s0'), Integer(2)), Integer(1))`.

use std::collections::HashMap;

use super::schema;

/// Deepest nesting of an expression.
const DEEPEST: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Size {
    Known(usize),
    /// One that the input decides, and what it was for the example.
    Free {
        expression: Option<Expression>,
        example: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Integer(i64),
    Symbol(String),
    /// A function and what it is of.
    Of(String, Vec<Expression>),
}

impl Size {
    pub(super) fn of(size: &schema::Size) -> Option<Self> {
        match size {
            schema::Size::AsInt(size) => usize::try_from(*size).ok().map(Self::Known),
            schema::Size::AsExpr(size) => Some(Self::Free {
                expression: Expression::parse(&size.expr_str),
                example: usize::try_from(size.hint.as_ref()?.as_int?).ok()?,
            }),
        }
    }

    pub(super) fn example(&self) -> usize {
        match self {
            Self::Known(size) | Self::Free { example: size, .. } => *size,
        }
    }

    pub(super) fn is_free(&self) -> bool {
        matches!(self, Self::Free { .. })
    }

    /// Its symbol, if it is nothing else.
    pub(super) fn symbol(&self) -> Option<&str> {
        match self {
            Self::Free {
                expression: Some(Expression::Symbol(name)),
                ..
            } => Some(name),
            _ => None,
        }
    }

    /// What it is where symbols have these values; below 1 it is 0. The example's where it is not known.
    pub(super) fn at(&self, symbols: &HashMap<&str, usize>) -> usize {
        match self {
            Self::Known(size) => *size,
            Self::Free {
                expression,
                example,
            } => {
                let value = expression.as_ref().and_then(|of| of.value(symbols));
                value.map_or(*example, |value| usize::try_from(value).unwrap_or(0))
            }
        }
    }
}

impl Expression {
    fn parse(text: &str) -> Option<Self> {
        let (parsed, rest) = Self::parse_first(text, 0)?;
        rest.is_empty().then_some(parsed)
    }

    /// The expression at the beginning of a text, and what follows it.
    fn parse_first(text: &str, depth: usize) -> Option<(Self, &str)> {
        let (name, mut rest) = text.split_once('(')?;
        match name {
            _ if depth > DEEPEST => return None,
            "Integer" => {
                let (number, rest) = rest.split_once(')')?;
                return Some((Self::Integer(number.parse().ok()?), rest));
            }
            "Symbol" => {
                let (arguments, rest) = rest.split_once(')')?;
                let name = arguments.split(',').next()?.trim_matches('\'');
                return Some((Self::Symbol(name.to_owned()), rest));
            }
            // Known ones give a number.
            function => drop(combined(function, 1, 1)?),
        }
        let mut all = Vec::new();
        loop {
            let (argument, behind) = Self::parse_first(rest, depth + 1)?;
            all.push(argument);
            if let Some(end) = behind.strip_prefix(')') {
                return Some((Self::Of(name.to_owned(), all), end));
            }
            rest = behind.strip_prefix(", ")?;
        }
    }

    fn value(&self, symbols: &HashMap<&str, usize>) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Symbol(name) => i64::try_from(*symbols.get(name.as_str())?).ok(),
            Self::Of(function, all) => {
                let mut values = all.iter().map(|of| of.value(symbols));
                let first = values.next()??;
                values.try_fold(first, |a, b| combined(function, a, b?))
            }
        }
    }
}

fn combined(function: &str, a: i64, b: i64) -> Option<i64> {
    match function {
        "Add" => a.checked_add(b),
        "Mul" => a.checked_mul(b),
        "FloorDiv" | "CleanDiv" => floored(a, b),
        "Mod" | "PythonMod" => a.checked_rem_euclid(b),
        "Max" => Some(a.max(b)),
        "Min" => Some(a.min(b)),
        _ => None,
    }
}

/// The quotient, rounded down.
pub(super) fn floored(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    Some(quotient - i64::from(a % b != 0 && (a < 0) != (b < 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_follows_the_inputs() {
        let text = "Add(FloorDiv(Add(Symbol('s53', positive=True, integer=True), Integer(-1)), Integer(32)), Integer(1))";
        let size = Size::Free {
            expression: Expression::parse(text),
            example: 7,
        };
        let at = |height| size.at(&HashMap::from([("s53", height)]));
        assert_eq!([at(224), at(225), at(1), at(0)], [7, 8, 1, 0]);
        assert_eq!(size.at(&HashMap::new()), 7);
    }

    #[test]
    fn what_is_no_expression_is_not_known() {
        let deep = "Add(".repeat(1000);
        for text in ["", "s0", "Add(", "Log(Integer(1))", "Integer(1))", &deep] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
    }
}
