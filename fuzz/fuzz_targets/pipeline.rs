//! No text is a pipeline that panics, and what is wrong with one has a place.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Err(error) = upshift::config::parse_pipeline("f", text) else { return };
    let mut place = error.message.split(':');
    assert_eq!(place.next(), Some("f"), "{}", error.message);
    for _ in 0..2 {
        assert!(place.next().is_some_and(|number| number.parse::<usize>().is_ok_and(|n| n > 0)), "{}", error.message);
    }
});
