//! Durations as a person reads them at a glance.

use jiff::SignedDuration;

/// A duration in its two largest units: `40s`, `12m 3s`, `1h 47m`. Never negative.
#[must_use]
pub fn short(duration: SignedDuration) -> String {
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

    #[test]
    fn a_duration_has_two_units_at_most_and_no_empty_one() {
        let of = |seconds| short(SignedDuration::from_secs(seconds));
        assert_eq!([of(0), of(40), of(60), of(723)], ["0s", "40s", "1m", "12m 3s"]);
        assert_eq!([of(3600), of(6459), of(86400 + 60), of(-5)], ["1h", "1h 47m", "24h 1m", "0s"]);
    }
}
