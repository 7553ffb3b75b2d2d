//! What a person may have meant by a name that nobody knows.

/// The most names that a hint lists.
const MAX_LISTED: usize = 24;

/// The known name that is nearest to a wrong one, if any is near enough to be a slip of the hand.
///
/// `_`, `-` and the case of letters do not count, so `fan_out` is `fan-out`.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace('_', "-");
    let wrong = plain(name);
    let reach = 1 + wrong.chars().count() / 4;
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&wrong, &plain(name)), name))
        // Of a name as short as the distance, nothing would be left.
        .filter(|(distance, name)| {
            *distance <= reach && *distance < name.chars().count().min(wrong.chars().count()).max(1)
        })
        // Of several, the one that begins alike for longest: `cmp081` is rather `cmp080` than `cmp001`.
        .min_by_key(|(distance, name)| {
            (*distance, std::cmp::Reverse(name.bytes().zip(wrong.bytes()).take_while(|(a, b)| a == b).count()))
        })
        .map(|(_, name)| name)
}

/// The names, separated by commas; of very many, the first ones and how many are left out.
#[must_use]
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let shown = names[..names.len().min(MAX_LISTED)].join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The hint for an unknown name: the nearest one first, then all that `owner` has.
#[must_use]
pub fn hint<'a>(name: &str, owner: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let has = format!("{owner} has: {}", list(known.clone()));
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? {has}"),
        None => lower_first(&has),
    }
}

/// A sentence as it reads where a sentence does not begin.
#[must_use]
pub fn lower_first(sentence: &str) -> String {
    let mut sentence = sentence.to_owned();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_what_was_meant() {
        let known = ["fan-out", "timeout", "run", "on"];
        assert_eq!(nearest("fanout", known), Some("fan-out"));
        assert_eq!(nearest("Fan_Out", known), Some("fan-out"));
        assert_eq!(nearest("tiemout", known), Some("timeout"));
        assert_eq!(nearest("rnu", known), Some("run"));
    }

    #[test]
    fn what_is_not_near_is_not_guessed() {
        assert_eq!(nearest("serial", ["fan-out", "run", "on"]), None);
        assert_eq!(nearest("x", ["y", "on"]), None);
        assert_eq!(nearest("", ["y"]), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<_> = (0..30).map(|n| n.to_string()).collect();
        assert!(list(names.iter().map(String::as_str)).ends_with("22, 23 and 6 more"));
    }
}
