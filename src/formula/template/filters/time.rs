//! Salt's `strftime` and `date_format`.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use minijinja::{Error, Value};

use super::arguments::{Args, Run, string, wrong};
use super::numbers::parse_float;
use crate::formula::template::number_text::Number;
use crate::formula::template::value::text;

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] =
    &[("date_format", "date? format?", strftime), ("strftime", "date? format?", strftime)];

fn strftime(args: &Args) -> Result<Value, Error> {
    let date = args.get("date").cloned().unwrap_or(Value::from(()));
    let date = cast(&super::arguments::defined(date)?)?;
    let format = args.get("format").map_or(Ok("%Y-%m-%d"), string)?;
    written(date, format).map(Value::from)
}

/// A moment of local time: now, from a date in ISO's form, or from seconds since 1970.
fn cast(date: &Value) -> Result<DateTime, Error> {
    let unable = || wrong(format!("Unable to parse {}", text(date)));
    if date.is_none() {
        return Ok(Zoned::now().datetime());
    }
    if let Some(date) = date.as_str().and_then(from_text) {
        return Ok(date);
    }
    let seconds = match date.as_str() {
        Some(text) => parse_float(text),
        None => Number::of(date).map(Number::float),
    };
    let seconds = seconds.filter(|seconds| seconds.is_finite()).ok_or_else(unable)?;
    let duration = jiff::SignedDuration::try_from_secs_f64(seconds).map_err(|_| unable())?;
    let timestamp = Timestamp::from_duration(duration).map_err(|_| unable())?;
    Ok(timestamp.to_zoned(TimeZone::system()).datetime())
}

/// `2002-12-25`, `2002/12/25`, `2002-12-25 12:30:00`, and what ISO writes besides.
fn from_text(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let dashed = text.replace('/', "-");
    if let Ok(zoned) = text.parse::<Timestamp>() {
        return Some(zoned.to_zoned(TimeZone::system()).datetime());
    }
    if let Ok(moment) = dashed.parse::<DateTime>().or_else(|_| dashed.replace(' ', "T").parse()) {
        return Some(moment);
    }
    dashed.parse::<Date>().ok().map(|date| date.to_datetime(Time::midnight()))
}

fn name(date: DateTime) -> (&'static str, &'static str) {
    let day = match date.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ];
    let month = usize::try_from(date.month()).ok().and_then(|month| months.get(month.checked_sub(1)?));
    (day, month.copied().unwrap_or_default())
}

/// A moment by a format of the C library, in the C locale; a local time names no zone.
fn written(date: DateTime, format: &str) -> Result<String, Error> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(character) = chars.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let Some(mut directive) = chars.next() else {
            out.push('%');
            break;
        };
        let mut pad = None;
        if "-_0^#".contains(directive) {
            pad = Some(directive);
            directive = chars.next().unwrap_or('%');
        }
        out.push_str(&field(date, directive, pad)?);
        if out.len() > 1 << 20 {
            return Err(wrong("strftime: the text would be too long"));
        }
    }
    Ok(out)
}

fn field(date: DateTime, directive: char, pad: Option<char>) -> Result<String, Error> {
    let number = |number: i64, width: usize| match pad {
        Some('-') => number.to_string(),
        Some('_') => format!("{number:width$}"),
        _ => format!("{number:0width$}"),
    };
    let spaced = |number: i64, width: usize| match pad {
        Some('-') => number.to_string(),
        Some('0') => format!("{number:0width$}"),
        _ => format!("{number:width$}"),
    };
    let (day, month) = name(date);
    let short = |name: &str| name.chars().take(3).collect::<String>();
    let cased = |name: String| if pad == Some('^') { name.to_uppercase() } else { name };
    let hour = i64::from(date.hour());
    let twelve = (hour + 11) % 12 + 1;
    let sunday = i64::from(date.weekday().to_sunday_zero_offset());
    let monday = i64::from(date.weekday().to_monday_zero_offset());
    let day_of_year = i64::from(date.day_of_year());
    let iso = date.date().iso_week_date();
    Ok(match directive {
        'a' => cased(short(day)),
        'A' => cased(day.to_owned()),
        'b' | 'h' => cased(short(month)),
        'B' => cased(month.to_owned()),
        'c' => written(date, "%a %b %e %H:%M:%S %Y")?,
        'C' => number(i64::from(date.year()).div_euclid(100), 2),
        'd' => number(date.day().into(), 2),
        'D' | 'x' => written(date, "%m/%d/%y")?,
        'e' => spaced(date.day().into(), 2),
        'f' => format!("{:06}", date.subsec_nanosecond() / 1000),
        'F' => written(date, "%Y-%m-%d")?,
        'g' => number(i64::from(iso.year()).rem_euclid(100), 2),
        'G' => iso.year().to_string(),
        'H' => number(hour, 2),
        'I' => number(twelve, 2),
        'j' => number(day_of_year, 3),
        'k' => spaced(hour, 2),
        'l' => spaced(twelve, 2),
        'm' => number(date.month().into(), 2),
        'M' => number(date.minute().into(), 2),
        'n' => "\n".to_owned(),
        'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        'P' => if hour < 12 { "am" } else { "pm" }.to_owned(),
        'r' => written(date, "%I:%M:%S %p")?,
        'R' => written(date, "%H:%M")?,
        's' => {
            let zoned = date.to_zoned(TimeZone::system()).map_err(|error| wrong(error.to_string()))?;
            zoned.timestamp().as_second().to_string()
        }
        'S' => number(date.second().into(), 2),
        't' => "\t".to_owned(),
        'T' | 'X' => written(date, "%H:%M:%S")?,
        'u' => (monday + 1).to_string(),
        'U' => number((day_of_year + 6 - sunday) / 7, 2),
        'V' => number(iso.week().into(), 2),
        'w' => sunday.to_string(),
        'W' => number((day_of_year + 6 - monday) / 7, 2),
        'y' => number(i64::from(date.year()).rem_euclid(100), 2),
        'Y' => date.year().to_string(),
        'z' | 'Z' => String::new(),
        '%' => "%".to_owned(),
        // The C library leaves what it does not know as it is.
        other => format!("%{}{other}", pad.map(String::from).unwrap_or_default()),
    })
}
