//! The way into nested data by a path such as `nova:controller:0`, as Salt walks it.

use super::Data;
use super::yaml::{self, Mappings};

/// What a path leads to, if it leads anywhere.
///
/// A step into a list is an index (negative ones count from the end), or a key of the first mapping in the list that
/// has it. A key that is not there as text is looked up as the number or boolean that YAML makes of it.
pub fn traverse<'a>(data: &'a Data, path: &str, delimiter: &str) -> Option<&'a Data> {
    path.split(delimiter).try_fold(data, step)
}

fn step<'a>(data: &'a Data, key: &str) -> Option<&'a Data> {
    match data {
        Data::List(items) => {
            let mut mappings = items.iter().filter_map(Data::as_dict);
            match key.trim().parse::<i64>() {
                Err(_) => mappings.find_map(|mapping| mapping.get(key)),
                Ok(index) => {
                    let found = mappings.find_map(|mapping| mapping.entries.get(&Data::from(index)));
                    found.or_else(|| {
                        let length = i64::try_from(items.len()).ok()?;
                        let index = if index < 0 { index + length } else { index };
                        items.get(usize::try_from(index).ok()?)
                    })
                }
            }
        }
        Data::Dict(dict) => dict.get(key).or_else(|| {
            let key = yaml::load(key, Mappings::Plain).ok().filter(Data::is_hashable)?;
            dict.entries.get(&key)
        }),
        _ => None,
    }
}
