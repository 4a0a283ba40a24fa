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
        expression: String,
        example: usize,
    },
}

impl Size {
    pub(super) fn of(size: &schema::Size) -> Option<Self> {
        match size {
            schema::Size::AsInt(size) => usize::try_from(*size).ok().map(Self::Known),
            schema::Size::AsExpr(size) => Some(Self::Free {
                expression: size.expr_str.clone(),
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
        let Self::Free { expression, .. } = self else {
            return None;
        };
        let whole = expression.strip_prefix("Symbol(")?.strip_suffix(')')?;
        (!whole.contains(')')).then(|| symbol(whole))
    }

    /// What it is where symbols have these values; below 1 it is 0. The example's where it is not known.
    pub(super) fn at(&self, symbols: &HashMap<&str, usize>) -> usize {
        match self {
            Self::Known(size) => *size,
            Self::Free {
                expression,
                example,
            } => value(expression, symbols)
                .map_or(*example, |value| usize::try_from(value).unwrap_or(0)),
        }
    }
}

/// The name of `Symbol('s0', positive=True)` among its arguments.
fn symbol(arguments: &str) -> &str {
    let name = arguments.split(',').next().unwrap_or_default();
    name.trim_matches('\'')
}

fn value(expression: &str, symbols: &HashMap<&str, usize>) -> Option<i64> {
    let (value, rest) = first_value(expression, symbols, 0)?;
    rest.is_empty().then_some(value)
}

/// The value of the expression at the beginning of a text, and what follows it.
fn first_value<'a>(
    text: &'a str,
    symbols: &HashMap<&str, usize>,
    depth: usize,
) -> Option<(i64, &'a str)> {
    let (function, mut rest) = text.split_once('(').filter(|_| depth <= DEEPEST)?;
    if let "Integer" | "Symbol" = function {
        let (own, rest) = rest.split_once(')')?;
        let value = match function {
            "Integer" => own.parse().ok()?,
            _ => i64::try_from(*symbols.get(symbol(own))?).ok()?,
        };
        return Some((value, rest));
    }
    // Known ones give a number.
    combined(function, 1, 1)?;
    let mut all = None;
    loop {
        let (value, behind) = first_value(rest, symbols, depth + 1)?;
        let combined = match all {
            Some(before) => combined(function, before, value)?,
            None => value,
        };
        if let Some(end) = behind.strip_prefix(')') {
            return Some((combined, end));
        }
        all = Some(combined);
        rest = behind.strip_prefix(", ")?;
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
            expression: text.to_owned(),
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
            assert_eq!(value(text, &HashMap::new()), None, "{text}");
        }
    }
}
