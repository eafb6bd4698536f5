//! Lists, and the marks of their items.

use html5gum::StartTag;

/// A list that is open.
pub(super) struct List {
    ordered: Option<Ordered>,
    /// Which of those lists it is whose numbers depend on how many items come.
    counted: Option<usize>,
    items: i64,
}

struct Ordered {
    next: i64,
    step: i64,
    style: u8,
}

/// How many items each list has that counts down to one. They are known after a first reading.
#[derive(Default)]
pub(super) struct Lengths {
    known: Vec<i64>,
    found: Vec<i64>,
}

impl Lengths {
    /// The lengths for a second reading, if one is needed.
    pub(super) fn found(self) -> Option<Self> {
        (self.known.is_empty() && !self.found.is_empty()).then_some(Self {
            known: self.found,
            found: Vec::new(),
        })
    }

    /// Keeps the length of a list that has ended.
    pub(super) fn ended(&mut self, list: &List) {
        if let Some(found) = list.counted.and_then(|place| self.found.get_mut(place)) {
            *found = list.items;
        }
    }
}

impl List {
    pub(super) fn open(tag: &StartTag<()>, lengths: &mut Lengths) -> Self {
        let mut list = Self {
            ordered: None,
            counted: None,
            items: 0,
        };
        if tag.name.as_slice() != b"ol" {
            return list;
        }
        let reversed = tag.attributes.contains_key(b"reversed".as_slice());
        let mut next = number(tag, b"start");
        if reversed && next.is_none() {
            let place = lengths.found.len();
            next = lengths.known.get(place).copied();
            lengths.found.push(0);
            list.counted = Some(place);
        }
        list.ordered = Some(Ordered {
            next: next.unwrap_or(1),
            step: if reversed { -1 } else { 1 },
            style: style(tag).unwrap_or(b'1'),
        });
        list
    }

    /// The mark of the next item: its number, or a dash.
    pub(super) fn mark(&mut self, item: &StartTag<()>) -> String {
        self.items += 1;
        let Some(ordered) = &mut self.ordered else {
            return DASH.to_owned();
        };
        let number = number(item, b"value").unwrap_or(ordered.next);
        ordered.next = number.saturating_add(ordered.step);
        format!("{}.", label(number, style(item).unwrap_or(ordered.style)))
    }
}

/// Before an item without a number.
pub(super) const DASH: &str = "-";

/// The number that an attribute begins with, as browsers read it.
fn number(tag: &StartTag<()>, name: &[u8]) -> Option<i64> {
    let value = std::str::from_utf8(&tag.attributes.get(name)?.value).ok()?;
    let value = value.trim_ascii_start();
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let other = |c: char| !c.is_ascii_digit();
    let length = digits.find(other).unwrap_or(digits.len());
    let number: i32 = value[..value.len() - digits.len() + length].parse().ok()?;
    Some(number.into())
}

/// The kind of numbers that an attribute asks for.
fn style(tag: &StartTag<()>) -> Option<u8> {
    let value = &tag.attributes.get(b"type".as_slice())?.value;
    match value.as_slice() {
        [style @ (b'1' | b'a' | b'A' | b'i' | b'I')] => Some(*style),
        _ => None,
    }
}

/// A number in letters, in Roman digits, or as it is where it has no such form.
fn label(number: i64, style: u8) -> String {
    let label = match style {
        b'a' | b'A' => letters(number),
        b'i' | b'I' => roman(number),
        _ => None,
    };
    match label {
        Some(label) if style.is_ascii_uppercase() => label.to_ascii_uppercase(),
        Some(label) => label,
        None => number.to_string(),
    }
}

/// From a to z, and then from aa to az.
fn letters(mut number: i64) -> Option<String> {
    let mut letters = Vec::new();
    while number > 0 {
        number -= 1;
        letters.push(char::from(b'a' + u8::try_from(number % 26).ok()?));
        number /= 26;
    }
    (!letters.is_empty()).then(|| letters.iter().rev().collect())
}

fn roman(mut number: i64) -> Option<String> {
    const DIGITS: [(i64, &str); 13] = [
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    if !(1..4000).contains(&number) {
        return None;
    }
    let mut roman = String::new();
    for (value, digit) in DIGITS {
        while number >= value {
            roman.push_str(digit);
            number -= value;
        }
    }
    Some(roman)
}
