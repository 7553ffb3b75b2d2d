//! The value of numbers as Python's constructors read them, and Salt's habit of dropping leading zeros.

use std::num::IntErrorKind;

use crate::formula::Data;

/// A whole number in any of YAML 1.1's notations.
///
/// Salt drops leading zeros (`drops_zeros`) where there is no sign, so that `0644` is 644 and `-0644` is octal. A number
/// that [`Data`] has no room for stays the text it was written as. `None` for what is no number.
pub(super) fn int(text: &str, drops_zeros: bool) -> Option<Data> {
    let is_octal = drops_zeros && text.starts_with('0') && !text.starts_with("0b") && !text.starts_with("0x");
    let stripped = match text.trim_start_matches('0') {
        "" if is_octal => "0",
        stripped if is_octal => stripped,
        _ => text,
    };
    let digits = stripped.replace('_', "");
    let (is_negative, digits) = signed(&digits);
    let number = if digits == "0" {
        Ok(0)
    } else if let Some(digits) = digits.strip_prefix("0b") {
        i128::from_str_radix(digits, 2)
    } else if let Some(digits) = digits.strip_prefix("0x") {
        i128::from_str_radix(digits, 16)
    } else if digits.starts_with('0') {
        i128::from_str_radix(digits, 8)
    } else if digits.contains(':') {
        return sixties(digits).map(|number| Data::Int(if is_negative { -number } else { number }));
    } else {
        digits.trim().parse()
    };
    match number {
        Ok(number) => Some(Data::Int(if is_negative { number.checked_neg()? } else { number })),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(text.into()),
        Err(_) => None,
    }
}

/// A number with a fraction. `None` for what is no number.
pub(super) fn float(text: &str) -> Option<f64> {
    let digits = text.replace('_', "").to_ascii_lowercase();
    let (is_negative, digits) = signed(&digits);
    let number = if digits == ".inf" {
        f64::INFINITY
    } else if digits == ".nan" {
        f64::NAN
    } else if digits.contains(':') {
        let (mut sum, mut base) = (0.0, 1.0);
        // From the last to the first, as Python adds them up: the rounding depends on it.
        for part in digits.rsplit(':') {
            sum += part.trim().parse::<f64>().ok()? * base;
            base *= 60.0;
        }
        sum
    } else {
        digits.trim().parse().ok()?
    };
    Some(if is_negative { -number } else { number })
}

fn signed(digits: &str) -> (bool, &str) {
    match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    }
}

fn sixties(digits: &str) -> Option<i128> {
    digits.split(':').try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_are_dropped_unless_there_is_a_sign() {
        for (text, number) in [
            ("0644", 644),
            ("-0644", -420),
            ("+010", 8),
            ("0_7", 7),
            ("00", 0),
            ("0b101", 5),
            ("-0x_1F", -31),
            ("1_000", 1000),
            ("12:30", 750),
            ("-1:0:1", -3601),
        ] {
            assert_eq!(int(text, true), Some(Data::Int(number)), "{text}");
        }
        for text in ["0_", "0b_", "0x_", "", "x"] {
            assert_eq!(int(text, true), None, "{text}");
        }
    }

    #[test]
    fn floats_have_more_notations_than_rusts() {
        for (text, number) in
            [("1_0.5", 10.5), ("1.e+3", 1000.0), ("-.INF", f64::NEG_INFINITY), ("1:30.5", 90.5), ("-0:30.", -30.0)]
        {
            assert_eq!(float(text), Some(number), "{text}");
        }
        assert_eq!(float("x"), None);
    }
}
