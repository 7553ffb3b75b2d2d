//! Durations as people read them: the one place that decides how exact they are.

use std::time::Instant;

use jiff::SignedDuration;

/// The time since something was begun.
#[must_use]
pub fn since(begun: Instant) -> SignedDuration {
    SignedDuration::try_from(begun.elapsed()).unwrap_or_default()
}

/// A duration in a few characters: `0.4s`, `12s`, `9m 12s`, `4h 9m`, `31h 5m`.
///
/// Tenths of a second are shown under a minute, seconds under a day, minutes from there on; a part
/// that is zero is left out. What is shown can be written back in a pipeline.
#[must_use]
pub fn short(duration: SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let millis = duration.as_millis().unsigned_abs();
    let tenths = (millis + 50) / 100;
    if tenths < 600 {
        let (whole, tenth) = (tenths / 10, tenths % 10);
        return match (whole, tenth) {
            (0, 0) => "0s".into(),
            (_, 0) => format!("{sign}{whole}s"),
            _ => format!("{sign}{whole}.{tenth}s"),
        };
    }
    let mut seconds = (millis + 500) / 1000;
    if seconds >= 24 * 3600 {
        seconds = (seconds + 30) / 60 * 60;
    }
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    format!("{sign}{}", parts.join(" "))
}

/// How far something is from what was planned: `9m over`, `12m under`, `on time`.
#[must_use]
pub fn signed(difference: SignedDuration) -> String {
    let size = short(difference.abs());
    match size.as_str() {
        "0s" => "on time".into(),
        _ if difference.is_negative() => format!("{size} under"),
        _ => format!("{size} over"),
    }
}

/// A duration in its two largest units: `40s`, `12m 3s`, `1h 47m`. Never negative.
#[must_use]
pub fn glance(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, seconds) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: i64) -> String {
        short(SignedDuration::from_millis(millis))
    }

    #[test]
    fn a_duration_is_as_exact_as_it_is_long() {
        let shown: Vec<_> = [
            0,
            49,
            50,
            999,
            12_340,
            59_949,
            59_950,
            552_400,
            3_599_600,
            14_940_000,
            14_952_000,
            86_399_000,
            111_929_000,
        ]
        .map(millis)
        .into();
        assert_eq!(
            shown,
            [
                "0s",
                "0s",
                "0.1s",
                "1s",
                "12.3s",
                "59.9s",
                "1m",
                "9m 12s",
                "1h",
                "4h 9m",
                "4h 9m 12s",
                "23h 59m 59s",
                "31h 5m"
            ]
        );
        assert_eq!(millis(-90_000), "-1m 30s");
    }

    #[test]
    fn a_difference_says_which_way() {
        let minutes = |minutes| signed(SignedDuration::from_mins(minutes));
        assert_eq!([minutes(9), minutes(-12), minutes(0)], ["9m over", "12m under", "on time"]);
        assert_eq!(signed(SignedDuration::from_millis(-20)), "on time");
    }

    #[test]
    fn what_is_shown_can_be_written_back() {
        for millis in (0..200_000_000).step_by(777_700) {
            let shown = super::short(SignedDuration::from_millis(millis));
            shown.parse::<SignedDuration>().unwrap_or_else(|error| panic!("{shown}: {error}"));
        }
    }

    #[test]
    fn a_duration_has_two_units_at_most_and_no_empty_one() {
        let of = |seconds| glance(SignedDuration::from_secs(seconds));
        assert_eq!([of(0), of(40), of(60), of(723)], ["0s", "40s", "1m", "12m 3s"]);
        assert_eq!([of(3600), of(6459), of(86400 + 60), of(-5)], ["1h", "1h 47m", "24h 1m", "0s"]);
    }
}
