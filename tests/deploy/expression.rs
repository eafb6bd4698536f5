//! `CloudWatch`'s metric math, as far as the template writes it: numbers, names of series, four operations, two
//! comparisons, `IF`, `FILL` and `DIFF`. A point that is missing makes what is computed of it missing.

use std::collections::BTreeMap;

/// One value a period, where there is one.
pub(crate) type Series = Vec<Option<f64>>;

/// What an expression comes to over these series, which are equally long.
pub(crate) fn evaluate(expression: &str, series: &BTreeMap<&str, Series>) -> Series {
    let length = series.values().next().unwrap().len();
    assert!(series.values().all(|one| one.len() == length));
    let mut reader = Reader {
        rest: expression,
        series,
        length,
    };
    let value = reader.comparison();
    assert_eq!(reader.rest.trim(), "", "{expression}");
    value
}

struct Reader<'a> {
    rest: &'a str,
    series: &'a BTreeMap<&'a str, Series>,
    length: usize,
}

impl Reader<'_> {
    /// Whether this comes next; it is read then.
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let found = rest.strip_prefix(token);
        self.rest = found.unwrap_or(rest);
        found.is_some()
    }

    fn must(&mut self, token: &str) {
        assert!(
            self.takes(token),
            "{token:?} is missing before {:?}",
            self.rest
        );
    }

    fn word(&mut self) -> String {
        let rest = self.rest.trim_start();
        let end = rest
            .find(|char: char| !char.is_ascii_alphanumeric() && !"._".contains(char))
            .unwrap_or(rest.len());
        assert!(end > 0, "what is {rest:?}?");
        self.rest = &rest[end..];
        rest[..end].to_owned()
    }

    fn comparison(&mut self) -> Series {
        let left = self.sum();
        if self.takes(">=") {
            return with(&left, &self.sum(), |a, b| f64::from(a >= b));
        }
        if self.takes(">") {
            return with(&left, &self.sum(), |a, b| f64::from(a > b));
        }
        left
    }

    fn sum(&mut self) -> Series {
        let mut value = self.product();
        loop {
            if self.takes("+") {
                value = with(&value, &self.product(), |a, b| a + b);
            } else if self.takes("-") {
                value = with(&value, &self.product(), |a, b| a - b);
            } else {
                return value;
            }
        }
    }

    fn product(&mut self) -> Series {
        let mut value = self.atom();
        loop {
            if self.takes("*") {
                value = with(&value, &self.atom(), |a, b| a * b);
            } else if self.takes("/") {
                value = with(&value, &self.atom(), |a, b| a / b);
            } else {
                return value;
            }
        }
    }

    fn atom(&mut self) -> Series {
        if self.takes("(") {
            let value = self.comparison();
            self.must(")");
            return value;
        }
        let word = self.word();
        match word.as_str() {
            "IF" => {
                self.must("(");
                let condition = self.comparison();
                self.must(",");
                let yes = self.comparison();
                self.must(",");
                let no = self.comparison();
                self.must(")");
                let chosen = condition.iter().zip(yes).zip(no);
                chosen
                    .map(|((condition, yes), no)| if (*condition)? > 0.0 { yes } else { no })
                    .collect()
            }
            "DIFF" => {
                self.must("(");
                let value = self.comparison();
                self.must(")");
                let before = std::iter::once(None).chain(value.iter().copied());
                with(&value, &before.take(self.length).collect(), |now, then| {
                    now - then
                })
            }
            "FILL" => {
                self.must("(");
                let value = self.comparison();
                self.must(",");
                let filled = if self.takes("REPEAT") {
                    repeated(value)
                } else {
                    let filler = self.atom();
                    value
                        .iter()
                        .zip(filler)
                        .map(|(own, other)| own.or(other))
                        .collect()
                };
                self.must(")");
                filled
            }
            name => match name.parse::<f64>() {
                Ok(number) => vec![Some(number); self.length],
                Err(_) => self.series[name].clone(),
            },
        }
    }
}

fn with(left: &Series, right: &Series, of: impl Fn(f64, f64) -> f64) -> Series {
    let pairs = left.iter().zip(right);
    pairs.map(|(a, b)| Some(of((*a)?, (*b)?))).collect()
}

/// Gaps are filled with the value before them. Before the first value there is nothing to repeat.
fn repeated(series: Series) -> Series {
    let mut last = None;
    series
        .into_iter()
        .map(|value| {
            last = value.or(last);
            last
        })
        .collect()
}

#[test]
fn an_expression_is_evaluated_with_its_gaps() {
    let a = vec![None, Some(4.0), None, Some(6.0)];
    let b = vec![Some(8.0), Some(8.0), Some(9.0), None];
    let series = BTreeMap::from([("a", a), ("b", b)]);
    for (expression, expected) in [
        ("b / a", [None, Some(2.0), None, None]),
        ("1 + 2 * a - (a)", [None, Some(5.0), None, Some(7.0)]),
        ("DIFF(b)", [None, Some(0.0), Some(1.0), None]),
        ("FILL(a, REPEAT)", [None, Some(4.0), Some(4.0), Some(6.0)]),
        (
            "FILL(FILL(a, REPEAT), 1)",
            [Some(1.0), Some(4.0), Some(4.0), Some(6.0)],
        ),
        (
            "IF(a >= 6, 100 * a, 0)",
            [None, Some(0.0), None, Some(600.0)],
        ),
        (
            "FILL(a, 0) > 0",
            [Some(0.0), Some(1.0), Some(0.0), Some(1.0)],
        ),
    ] {
        assert_eq!(evaluate(expression, &series), expected, "{expression}");
    }
}
