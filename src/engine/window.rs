//! When a run may work on hosts, for a run that starts or resumes now.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use crate::error::{Error, Exit, Result};
use crate::model::pipeline::{Edge, Window};
use crate::model::record::between;

/// When the window closes for a run that was opened then and goes on at `now`; `None` is never.
///
/// A length counts from when the run was opened. One that is resumed after that has a whole window again.
///
/// # Errors
///
/// The window is not open: it ends in exit code 15 and says when it opens.
pub fn closes(window: &Window, now: &Zoned, opened: Timestamp) -> Result<Option<Timestamp>> {
    let refuse = |message: String| Err(Error::new(Exit::Window, message));
    let opens = window.opens.map(|edge| latest(edge, window.closes, now));
    if let Some(opens) = opens.filter(|opens| *opens > now.timestamp()) {
        return refuse(format!("the window is not open yet: it opens at {}", shown(opens, now)));
    }
    let closes = match window.closes {
        None => None,
        Some(Edge::At(closes)) => Some(closes),
        // A daily window closes at the first such time after it opened.
        Some(Edge::Daily(time)) => {
            let after = opens.filter(|_| matches!(window.opens, Some(Edge::Daily(_)))).unwrap_or(now.timestamp());
            Some(next(time, &after.to_zoned(now.time_zone().clone())))
        }
    };
    if let Some(closes) = closes.filter(|closes| *closes <= now.timestamp()) {
        return refuse(format!("the window is shut: it closed at {}", shown(closes, now)));
    }
    let length = window.length.map(|length| {
        let after = |start: Timestamp| start.saturating_add(length).unwrap_or(Timestamp::MAX);
        Some(after(opened)).filter(|end| *end > now.timestamp()).unwrap_or(after(now.timestamp()))
    });
    Ok([closes, length].into_iter().flatten().min())
}

/// How long the window is for a run that starts when it opens, or at `now` when it has no beginning;
/// `None` when nothing closes it, zero when it closed before.
#[must_use]
pub fn length(window: &Window, now: &Zoned) -> Option<SignedDuration> {
    let start = window.opens.map_or(now.timestamp(), |opens| latest(opens, window.closes, now));
    match closes(window, &start.to_zoned(now.time_zone().clone()), start) {
        Ok(closes) => closes.map(|closes| between(start, closes)),
        Err(_) => Some(SignedDuration::ZERO),
    }
}

/// When the window that concerns a run at `now` opens.
fn latest(opens: Edge, closes: Option<Edge>, now: &Zoned) -> Timestamp {
    let time = match opens {
        Edge::At(moment) => return moment,
        Edge::Daily(time) => time,
    };
    let today = at(time, now);
    // After midnight, a window that opened in the evening before may still be open.
    let yesterday = now.checked_sub(1.day()).map_or(today, |day| at(time, &day));
    match closes {
        Some(Edge::Daily(closes)) if today > now.timestamp() => {
            let end = next(closes, &yesterday.to_zoned(now.time_zone().clone()));
            if end > now.timestamp() { yesterday } else { today }
        }
        _ => today,
    }
}

/// That time of day on the day of `day`.
fn at(time: Time, day: &Zoned) -> Timestamp {
    day.with().time(time).build().map_or(day.timestamp(), |zoned| zoned.timestamp())
}

/// The first such time of day after `after`.
fn next(time: Time, after: &Zoned) -> Timestamp {
    let same_day = at(time, after);
    if same_day > after.timestamp() {
        return same_day;
    }
    after.checked_add(1.day()).map_or(same_day, |day| at(time, &day))
}

fn shown(moment: Timestamp, now: &Zoned) -> String {
    moment.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night() -> Window {
        let daily = |time: &str| Some(Edge::Daily(time.parse().unwrap()));
        Window { opens: daily("22:00"), closes: daily("04:00"), length: None }
    }

    fn at(now: &str) -> Result<Option<String>> {
        let now: Zoned = now.parse().unwrap();
        closes(&night(), &now, now.timestamp()).map(|closes| closes.map(|closes| closes.to_string()))
    }

    #[test]
    fn a_window_over_midnight_is_open_on_both_sides_of_it() {
        let end = Some("2026-11-23T04:00:00Z".to_owned());
        assert_eq!(at("2026-11-22T22:00:00[UTC]").unwrap(), end);
        assert_eq!(at("2026-11-22T23:59:00[UTC]").unwrap(), end);
        assert_eq!(at("2026-11-23T03:59:00[UTC]").unwrap(), end);
    }

    #[test]
    fn a_window_that_is_not_open_says_when_it_opens() {
        let error = at("2026-11-22T12:00:00[UTC]").unwrap_err();
        assert_eq!(error.exit, Exit::Window);
        assert_eq!(error.message, "the window is not open yet: it opens at 2026-11-22 22:00 UTC");
        assert!(at("2026-11-23T04:00:00[UTC]").is_err());
    }

    #[test]
    fn a_length_counts_from_now() {
        let window = Window { length: Some(SignedDuration::from_hours(5)), ..Window::default() };
        let now: Zoned = "2026-11-22T22:00:00[UTC]".parse().unwrap();
        let closes = closes(&window, &now, now.timestamp()).unwrap().unwrap();
        assert_eq!(closes.to_string(), "2026-11-23T03:00:00Z");
    }

    /// How long a window is at noon, in a few characters.
    fn long(window: Window) -> Option<String> {
        length(&window, &"2026-11-22T12:00:00[UTC]".parse().unwrap()).map(crate::model::span::short)
    }

    #[test]
    fn a_window_between_two_times_of_day_is_as_long_at_any_time() {
        for hour in 0..24 {
            let now = format!("2026-11-22T{hour:02}:30:00[UTC]").parse().unwrap();
            assert_eq!(length(&night(), &now), Some(SignedDuration::from_hours(6)), "at {now}");
        }
        let daily = |time: &str| Some(Edge::Daily(time.parse().unwrap()));
        let day = Window { opens: daily("00:00"), closes: daily("23:59"), length: None };
        assert_eq!(long(day).unwrap(), "23h 59m");
    }

    #[test]
    fn a_window_between_two_moments_is_as_long_before_and_after() {
        let moment = |time: &str| Some(Edge::At(time.parse().unwrap()));
        let before =
            Window { opens: moment("2020-01-01T22:00:00Z"), closes: moment("2020-01-02T03:00:00Z"), length: None };
        let after =
            Window { opens: moment("2030-01-01T22:00:00Z"), closes: moment("2030-01-02T03:00:00Z"), length: None };
        assert_eq!([long(before).unwrap(), long(after).unwrap()], ["5h", "5h"]);
    }

    #[test]
    fn a_window_without_a_beginning_counts_from_now_and_one_without_an_end_never_ends() {
        let ends = |closes| long(Window { closes: Some(closes), ..Window::default() });
        assert_eq!(ends(Edge::Daily("04:00".parse().unwrap())).unwrap(), "16h");
        assert_eq!(ends(Edge::At("2026-11-22T12:20:00Z".parse().unwrap())).unwrap(), "20m");
        assert_eq!(ends(Edge::At("2026-11-22T11:59:00Z".parse().unwrap())).unwrap(), "0s", "it closed before");
        assert_eq!(long(Window { opens: night().opens, ..Window::default() }), None);
    }

    #[test]
    fn of_a_length_and_an_end_the_shorter_counts() {
        let hours = |hours| long(Window { length: Some(SignedDuration::from_hours(hours)), ..night() }).unwrap();
        assert_eq!([hours(5), hours(8)], ["5h", "6h"]);
    }

    #[test]
    fn a_resume_has_what_is_left_of_the_window_and_after_that_a_new_one() {
        let window = Window { length: Some(SignedDuration::from_hours(5)), ..Window::default() };
        let resumed = |now: &str| {
            let closes = closes(&window, &now.parse().unwrap(), "2026-11-22T22:00:00Z".parse().unwrap());
            closes.unwrap().unwrap().to_string()
        };
        assert_eq!(resumed("2026-11-23T01:00:00[UTC]"), "2026-11-23T03:00:00Z");
        assert_eq!(resumed("2026-11-23T22:00:00[UTC]"), "2026-11-24T03:00:00Z");
    }
}
