//! `groupby`: a list of groups, each a pair of what its items have in common and the items.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, Value};

use super::arguments::{Args, defined};
use super::attribute::{Path, folded};
use super::sequences::sorted;
use crate::formula::template::value::{is_equal, items, list, release, repr};

/// One group: a pair that also has names for its halves.
struct Group {
    grouper: Value,
    list: Value,
}

/// Groups items by an attribute, which is compared without regard to case unless told otherwise.
pub(super) fn groupby(args: &Args) -> Result<Value, Error> {
    let path = Path::of(args.get("attribute"))?;
    let default = args.some("default");
    let case_sensitive = args.bool("case_sensitive", false)?;
    let key = |item: &Value| Ok(vec![folded(path.find(item, default)?, case_sensitive)]);
    let mut groups: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    for (key, item) in sorted(items(&args.value())?, false, key)? {
        for part in &key {
            defined(part.clone())?;
        }
        match groups.last_mut() {
            Some((last, group)) if last.iter().zip(&key).all(|(last, key)| is_equal(last, key)) => group.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let group = |(mut key, group): (Vec<Value>, Vec<Value>)| {
        let grouper = match group.first() {
            Some(first) if !case_sensitive => path.find(first, default)?,
            _ => key.pop().unwrap_or_default(),
        };
        Ok(Value::from_object(Group { grouper, list: list(group) }))
    };
    groups.into_iter().map(group).collect::<Result<_, Error>>().map(list)
}

impl Drop for Group {
    fn drop(&mut self) {
        release(vec![std::mem::take(&mut self.grouper), std::mem::take(&mut self.list)]);
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", repr(&self.grouper), repr(&self.list))
    }
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str(), key.as_usize()) {
            (Some("grouper"), _) | (_, Some(0)) => Some(self.grouper.clone()),
            (Some("list"), _) | (_, Some(1)) => Some(self.list.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn groups_have_names_for_their_halves() {
        assert_shown(&[
            (
                "{% for g in [{'c': 'B', 'n': 1}, {'c': 'a', 'n': 2}, {'c': 'b', 'n': 3}]|groupby('c') %}{{ g.grouper }}{{ g.list|map(attribute='n')|list }}{% endfor %}",
                Some("a[2]B[1, 3]"),
            ),
            (
                "{% for key, group in ['x', 'y', 'X']|groupby(0, case_sensitive=true) %}{{ key }}{{ group }}{% endfor %}",
                Some("X['X']x['x']y['y']"),
            ),
            ("{{ [{'a': 1}, {}]|groupby('a') }}", None),
            ("{{ [{'a': 1}, {}]|groupby('a', default=0)|map('first')|list }}", Some("[0, 1]")),
        ]);
    }
}
