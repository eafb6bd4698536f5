//! Decimal numbers of up to 38 digits, compared as numbers and shown as AWS shows them.

use std::cmp::Ordering;
use std::fmt;

const MOST_DIGITS: usize = 38;

/// A number in its only form: `0.digits` times ten to the `exponent`, without zeros at either end of the
/// digits. Zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    exponent: i64,
    digits: String,
}

impl Number {
    /// Reads a decimal number with an optional exponent; the error is AWS's text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let malformed = || {
            let colon = if text.is_empty() { "" } else { ": " };
            format!("The parameter cannot be converted to a numeric value{colon}{text}")
        };
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power_of_ten(power).ok_or_else(malformed)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let significant = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - significant.len()).unwrap_or(i64::MAX);
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX);
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Ok(Self::from(0));
        }
        let exponent = power.saturating_add(point - leading);
        let number = Self {
            negative: text.starts_with('-'),
            exponent,
            digits,
        };
        // 1E-130 to 9.99E+125; here the first digit stands behind the point.
        if exponent > 126 {
            return Err("Number overflow. Attempting to store a number with magnitude larger than supported range".to_owned());
        }
        if exponent < -129 {
            return Err("Number underflow. Attempting to store a number with magnitude smaller than supported range".to_owned());
        }
        if number.digits.len() > MOST_DIGITS {
            return Err(format!(
                "Attempting to store more than {MOST_DIGITS} significant digits in a Number"
            ));
        }
        Ok(number)
    }

    /// About one byte for two digits, one for the exponent and one for a minus sign, as AWS's documentation
    /// has it.
    pub(super) fn size(&self) -> usize {
        self.digits.len().div_ceil(2) + 1 + usize::from(self.negative)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        let text = if value == 0 {
            String::new()
        } else {
            value.to_string()
        };
        Self {
            negative: false,
            exponent: i64::try_from(text.len()).unwrap_or_default(),
            digits: text.trim_end_matches('0').to_owned(),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let magnitude = (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits));
        sign(self).cmp(&sign(other)).then(if self.negative {
            magnitude.reverse()
        } else {
            magnitude
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Without an exponent, however long it gets.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let digits = &self.digits;
        match usize::try_from(self.exponent) {
            Ok(0) | Err(_) => {
                let zeros = usize::try_from(-self.exponent).unwrap_or_default();
                write!(f, "0.{}{digits}", "0".repeat(zeros))
            }
            Ok(point) if point < digits.len() => {
                write!(f, "{}.{}", &digits[..point], &digits[point..])
            }
            Ok(point) => write!(f, "{digits}{}", "0".repeat(point - digits.len())),
        }
    }
}

/// An exponent that no number can have is still one, too large or too small.
fn power_of_ten(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let power = digits.parse().unwrap_or(i64::from(i32::MAX));
    Some(if text.starts_with('-') { -power } else { power })
}
