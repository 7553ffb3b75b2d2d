//! Merging as the pillar does it: the rules of [`template::value`](super::template::value) on plain data.

use super::template::value::{from_data, merge as merge_values, to_data};
use super::{Data, Error, Kind, Result};

pub use super::template::value::Strategy;

/// What `over` makes of `base`. `merge_lists` adds the new items of a list instead of replacing it.
///
/// A mapping that `base` has in two places (a YAML alias) is one mapping, as in Salt: merging into one of them changes
/// both.
///
/// # Errors
/// When what is merged are no mappings.
pub fn merge(strategy: Strategy, base: &Data, over: &Data, merge_lists: bool) -> Result<Data> {
    merge_values(strategy, &from_data(base), &from_data(over), merge_lists)
        .and_then(|merged| to_data(&merged))
        .map_err(|error| Error::new(Kind::Structure, error.detail().unwrap_or("cannot be merged")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_merged_in_both_its_places() {
        let data = |text: &str| Data::from(serde_json::from_str::<serde_json::Value>(text).unwrap());
        let shared = data(r#"{"x": 1}"#);
        let mut base = crate::formula::Dict::default();
        base.insert("a", shared.clone());
        base.insert("b", shared);
        let merged = merge(Strategy::Recurse, &base.into(), &data(r#"{"a": {"y": 2}}"#), false).unwrap();
        assert_eq!(merged, data(r#"{"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}}"#));
    }
}
