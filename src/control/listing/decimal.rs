//! Numbers by the value that is written, however long and whatever their exponent.

use serde_json::Number;

/// A decimal number, exact.
///
/// INVARIANT: held as bytes that order as the numbers do, none of which begins another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(Vec<u8>);

const NEGATIVE: u8 = 0;
const ZERO: u8 = 1;
const POSITIVE: u8 = 2;

impl Decimal {
    /// Reads `-?digits[.digits][e[+-]digits]`; none for anything else, and for exponents beyond 16 bits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (digits, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(digits, exponent)| (digits, Some(exponent)));
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
        let exponent = exponent.map_or(Some(0), |exponent| exponent.parse::<i16>().ok())?;
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !fraction.is_none_or(is_digits) {
            return None;
        }
        let point = i32::try_from(whole.len()).ok()?.checked_add(i32::from(exponent))?;
        Self::of_parts(text.starts_with('-'), &[whole, fraction.unwrap_or_default()].concat(), point)
    }

    /// A number of a row, by the text that it has on the wire.
    pub(super) fn of(number: &Number) -> Option<Self> {
        Self::parse(&number.to_string())
    }

    /// Bytes that order as the numbers do.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// `0.digits`, times ten to the power of `point`.
    fn of_parts(negative: bool, digits: &str, point: i32) -> Option<Self> {
        let counting = digits.trim_start_matches('0');
        let leading = i32::try_from(digits.len() - counting.len()).ok()?;
        let counting = counting.trim_end_matches('0');
        if counting.is_empty() {
            return Some(Self(vec![ZERO]));
        }
        let mut magnitude = Vec::with_capacity(counting.len() + 6);
        magnitude.push(POSITIVE);
        magnitude.extend((point.checked_sub(leading)? ^ i32::MIN).to_be_bytes());
        magnitude.extend(counting.bytes());
        magnitude.push(0);
        if negative {
            magnitude.iter_mut().for_each(|byte| *byte = !*byte);
            magnitude.first_mut().into_iter().for_each(|sign| *sign = NEGATIVE);
        }
        Some(Self(magnitude))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn numbers_order_by_their_value() {
        let ascending = [
            "-1e400",
            "-100",
            "-99.5",
            "-1.01",
            "-1",
            "-1e-5",
            "0",
            "1e-400",
            "0.001",
            "0.5",
            "1",
            "1.0000000000000000000001",
            "9",
            "10",
            "11",
            "1e2",
            "1e400",
        ];
        for pair in ascending.windows(2) {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for same in [["0", "-0.00e5"], ["100", "1E2"], ["0.5", "00.50"], ["-12.5", "-125e-1"], ["1", "0.001e+3"]] {
            assert_eq!(decimal(same[0]), decimal(same[1]));
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "+1", "1.", ".5", "1e", "e5", "1e99999", "1e5.5", "0x1", "1_000", "--1", "١", "1 ", "NaN", "inf"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_of_rows_order_as_they_do(left: i64, right: i64, a: f64, b: f64, big: u64) {
            let of = |value: serde_json::Value| Decimal::of(value.as_number().unwrap()).unwrap();
            prop_assert_eq!(of(json!(left)).cmp(&of(json!(right))), left.cmp(&right));
            prop_assert_eq!(of(json!(left)).cmp(&of(json!(big))), i128::from(left).cmp(&i128::from(big)));
            if a.is_finite() && b.is_finite() {
                prop_assert_eq!(Some(of(json!(a)).cmp(&of(json!(b)))), a.partial_cmp(&b));
            }
        }
    }
}
