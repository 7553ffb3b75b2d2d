//! Reads how many, how long and how often.

use jiff::SignedDuration;
use toml::de::DeValue;

use crate::config::syntax::shorten;
use crate::config::table::{Keys, Value};
use crate::error::{Error, Result};
use crate::model::{Amount, Budget};

/// The longest time that is taken for meant; more would only overflow somewhere.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The most of anything that is counted.
const MAX_COUNT: u32 = 100_000;

static BUDGET: Keys = Keys {
    owner: "`max-failures`",
    names: &["total", "failed", "timed-out", "unreachable", "interrupted"],
    elsewhere: &[],
};

impl Value<'_> {
    /// A whole number from `least` to `most`.
    pub(super) fn number(self, least: u32, most: u32) -> Result<u32> {
        let wanted = || self.wanted(&format!("a whole number from {least} to {most}"));
        match self.inner {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix())
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(wanted),
            DeValue::String(text) if text.parse::<u32>().is_ok() => Err(unquote(wanted(), self.key, text)),
            _ => Err(wanted()),
        }
    }

    /// A time span of more than nothing.
    pub(super) fn duration(self) -> Result<SignedDuration> {
        let duration = self.duration_or_zero()?;
        if duration.is_zero() { Err(self.error("wanted more than zero")) } else { Ok(duration) }
    }

    /// A time span that may be nothing.
    pub(super) fn duration_or_zero(self) -> Result<SignedDuration> {
        let wanted = || self.wanted("a duration such as `30s` or `1h 30m`");
        let text = match self.inner {
            DeValue::String(text) => text.trim(),
            DeValue::Integer(number) => {
                return Err(wanted().hint(format!("did you mean `{} = \"{}s\"`?", self.key, number.as_str())));
            }
            _ => return Err(wanted()),
        };
        let Ok(duration) = text.parse::<SignedDuration>() else {
            // Days and more have no fixed length for `jiff`, and it refuses them.
            let long = ["d", "w", "mo", "y"]
                .iter()
                .any(|unit| text.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with(unit));
            return Err(if long { wanted().hint("the longest unit is the hour: a day is `24h`") } else { wanted() });
        };
        if duration.is_negative() {
            return Err(wanted());
        }
        self.within_a_year(duration)
    }

    /// Refuses a time span that only a slip explains.
    pub(super) fn within_a_year(self, duration: SignedDuration) -> Result<SignedDuration> {
        if duration > MAX_DURATION { Err(self.wanted("at most a year")) } else { Ok(duration) }
    }

    /// A number of hosts or a share of them, more than none.
    pub(super) fn amount(self, example: &str) -> Result<Amount> {
        let wanted = || self.wanted(&format!("a number of hosts from 1 on, or a share such as `\"{example}\"`"));
        match self.inner {
            DeValue::Integer(_) => self.number(1, MAX_COUNT).map(Amount::Count).map_err(|_| wanted()),
            DeValue::String(text) => match text.trim().strip_suffix('%') {
                Some(percent) => match percent.trim().parse::<f64>() {
                    Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Amount::Percent(percent)),
                    Ok(_) => Err(self.wanted("a share above `0%`, up to `100%`")),
                    Err(_) => Err(wanted()),
                },
                None if text.parse::<u32>().is_ok() => Err(unquote(wanted(), self.key, text)),
                None => Err(wanted()),
            },
            _ => Err(wanted()),
        }
    }

    /// The failures that stop; what nobody names has no limit.
    ///
    /// With `first`, a stage's: what nobody names stops at the first failure, unless a total is given.
    pub(super) fn budget(self, first: bool) -> Result<Budget> {
        if !matches!(self.inner, DeValue::Table(_)) {
            return Ok(Budget { total: Some(self.failures()?), ..Budget::default() });
        }
        let table = self.table(&BUDGET)?;
        if table.given().next().is_none() {
            return Err(self.error("wanted at least one limit, found none").hint("write `max-failures = 3`"));
        }
        let total = table.read("total", Self::failures)?;
        let other = (first && total.is_none()).then_some(Amount::Count(1));
        let limit = |key| table.read(key, Self::failures).map(|limit| limit.or(other));
        Ok(Budget {
            total,
            failed: limit("failed")?,
            timed_out: limit("timed-out")?,
            unreachable: limit("unreachable")?,
            interrupted: limit("interrupted")?,
        })
    }

    fn failures(self) -> Result<Amount> {
        let zero = match self.inner {
            DeValue::Integer(number) => number.as_str() == "0",
            DeValue::String(text) => text.trim() == "0%",
            _ => false,
        };
        if zero {
            let error = self.error(format!("`{}` would stop before the first host", shorten(self.written())));
            return Err(error.hint("the first failure already counts as one; use 1 to stop at it"));
        }
        self.amount("5%")
    }

    /// A share from nothing to everything, as `0.02` or `"2%"`.
    pub(super) fn share(self) -> Result<f64> {
        let wanted = || self.wanted("a share such as `\"2%\"` or `0.02`");
        let share = match self.inner {
            DeValue::Float(number) => number.as_str().parse::<f64>().map_err(|_| wanted())?,
            DeValue::Integer(_) => f64::from(self.number(0, 100)?),
            DeValue::String(text) => {
                let percent = text.trim().strip_suffix('%').ok_or_else(wanted)?;
                percent.trim().parse::<f64>().map_err(|_| wanted())? / 100.0
            }
            _ => return Err(wanted()),
        };
        if (0.0..=1.0).contains(&share) {
            return Ok(share);
        }
        let error = self.wanted("a share from `0` to `1`, or from `\"0%\"` to `\"100%\"`");
        Err(match self.inner {
            DeValue::Integer(number) => error.hint(format!("did you mean `{} = \"{}%\"`?", self.key, number.as_str())),
            _ => error,
        })
    }
}

fn unquote(error: Error, key: &str, number: &str) -> Error {
    error.hint(format!("a number stands without quotes: `{key} = {number}`"))
}

#[cfg(test)]
mod tests {
    use crate::config::parse_pipeline;
    use crate::model::{Amount, Budget, Pipeline};

    fn pipeline(line: &str) -> Result<Pipeline, String> {
        let text = format!(
            "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'cmp'\n{line}\nstep = [{{ run = 'true' }}]\n"
        );
        parse_pipeline("f", &text).map_err(|error| error.message)
    }

    fn budget(line: &str) -> Budget {
        pipeline(line).unwrap().stages[0].budget
    }

    #[test]
    fn a_stage_stops_at_the_first_failure_unless_it_says_otherwise() {
        let first = Some(Amount::Count(1));
        assert_eq!(budget(""), Budget { total: first, ..Budget::default() });
        assert_eq!(budget("max-failures = 3"), Budget { total: Some(Amount::Count(3)), ..Budget::default() });
        // Tolerating one way of failing is no leave for the others.
        let unreachable = Some(Amount::Percent(5.0));
        assert_eq!(
            budget("max-failures = { unreachable = '5%' }"),
            Budget { total: None, failed: first, timed_out: first, unreachable, interrupted: first }
        );
        let total = Some(Amount::Count(9));
        assert_eq!(
            budget("max-failures = { total = 9, unreachable = '5%' }"),
            Budget { total, unreachable, ..Budget::default() }
        );
    }

    #[test]
    fn durations_are_what_people_write_and_nothing_else() {
        for right in ["4h", "1h 30m", "90 minutes", "1h30m", "PT1H", "0.5h"] {
            assert!(pipeline(&format!("window = '{right}'")).is_ok(), "{right}");
        }
        for wrong in ["", "4", "h", "-4h", "4h ago", "1d", "0s", "9999999h", "4h\\n"] {
            assert!(pipeline(&format!("window = '{wrong}'")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_above_nothing_and_up_to_everything() {
        for right in ["1", "100000", "'0.5%'", "'100 %'", "0x10"] {
            assert!(pipeline(&format!("fan-out = {right}")).is_ok(), "{right}");
        }
        for wrong in ["0", "-1", "1.5", "'0%'", "'101%'", "'NaN%'", "'%'", "99999999999999999999", "true"] {
            assert!(pipeline(&format!("fan-out = {wrong}")).is_err(), "{wrong}");
        }
    }
}
