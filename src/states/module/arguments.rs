//! How the arguments of a state become those of an execution function.

use crate::formula::{Data, Dict};
use crate::states::Failed;

/// What an execution function takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub(super) required: &'static [&'static str],
    pub(super) optional: &'static [&'static str],
    /// The name of the list of all further arguments.
    pub(super) rest: Option<&'static str>,
    /// Whether it takes arguments of any other name.
    pub(super) is_open: bool,
}

/// A function of these arguments, and nothing else.
pub(super) const fn takes(required: &'static [&'static str], optional: &'static [&'static str]) -> Signature {
    Signature { required, optional, rest: None, is_open: false }
}

impl Signature {
    /// And any number of further ones.
    pub(super) const fn and_more(mut self, name: &'static str) -> Self {
        self.rest = Some(name);
        self
    }

    /// And arguments of any name.
    pub(super) const fn and_named(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// The arguments out of those of a state, where some have another name since a state has one of that name itself.
    /// What the function does not take is no concern of it.
    pub(super) fn bind_named(&self, mut given: Dict) -> Result<Dict, Failed> {
        let mut bound = Dict::default();
        for name in self.required.iter().chain(self.optional) {
            if let Some(value) = given.remove(&called(name)) {
                bound.insert(*name, value);
            }
        }
        let missing: Vec<String> =
            self.required.iter().filter(|name| !bound.has(name)).map(|name| called(name)).collect();
        if !missing.is_empty() {
            return Err(format!("The following arguments are missing: {}", missing.join(" ")).into());
        }
        if let Some((rest, value)) = self.rest.and_then(|rest| Some((rest, given.remove(&called(rest))?))) {
            if value.as_list().is_none() {
                return Err(format!("'{rest}' must be a list.").into());
            }
            bound.insert(rest, value);
        }
        match given.remove("kwargs").filter(|_| self.is_open) {
            None => {}
            Some(Data::Dict(named)) => bound.entries.extend(named.entries.clone()),
            Some(_) => return Err("'kwargs' must be a dict.".into()),
        }
        Ok(bound)
    }

    /// The arguments out of a list of them, where the named ones are mappings.
    pub(super) fn bind_listed(&self, given: &[Data]) -> Result<Dict, Failed> {
        let mut named = Dict::default();
        for mapping in given.iter().rev().filter_map(Data::as_dict) {
            named.entries.extend(mapping.entries.clone());
        }
        let mut bound = Dict::default();
        let mut names = self.required.iter().chain(self.optional);
        let mut rest = Vec::new();
        for value in given.iter().filter(|value| value.as_dict().is_none()) {
            match (names.next(), self.rest) {
                (Some(name), _) => drop(bound.insert(*name, value.clone())),
                (None, Some(_)) => rest.push(value.clone()),
                (None, None) => return Err("there are more arguments than the function takes".into()),
            }
        }
        for (name, value) in named.entries {
            let is_known = |name: &str| self.required.contains(&name) || self.optional.contains(&name);
            if !self.is_open && !name.as_str().is_some_and(is_known) {
                return Err(
                    format!("got an unexpected keyword argument '{}'", name.as_str().unwrap_or_default()).into()
                );
            }
            bound.entries.entry(name).or_insert(value);
        }
        let missing: Vec<&str> = self.required.iter().copied().filter(|name| !bound.has(name)).collect();
        if !missing.is_empty() {
            return Err(format!("Missing arguments: {}", missing.join(", ")).into());
        }
        if let (Some(name), false) = (self.rest, rest.is_empty()) {
            bound.insert(name, rest);
        }
        Ok(bound)
    }
}

/// What an argument is called in a state.
pub(super) fn called(name: &str) -> String {
    match name {
        "name" | "fun" | "names" | "state" | "saltenv" => format!("m_{name}"),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::returns::dict;

    const RESTART: Signature = takes(&["name"], &["no_block"]);

    #[test]
    fn a_state_gives_a_name_under_another_name() {
        let bound = RESTART.bind_named(dict([("m_name", "nginx".into()), ("other", Data::Int(1))])).unwrap();
        assert_eq!(bound, dict([("name", "nginx".into())]));
        let missing = RESTART.bind_named(Dict::default()).unwrap_err();
        assert_eq!(missing.comment, "The following arguments are missing: m_name");
    }

    #[test]
    fn a_list_has_arguments_by_place_and_by_name() {
        let wanted = dict([("name", "nginx".into()), ("no_block", true.into())]);
        let no_block = Data::from(dict([("no_block", true.into())]));
        assert_eq!(RESTART.bind_listed(&["nginx".into(), no_block.clone()]).unwrap(), wanted);
        let name = dict([("name", "nginx".into())]).into();
        assert_eq!(RESTART.bind_listed(&[name, no_block]).unwrap(), wanted);
        assert_eq!(RESTART.bind_listed(&[]).unwrap_err().comment, "Missing arguments: name");
        let unknown = dict([("nme", "nginx".into())]).into();
        assert!(RESTART.bind_listed(&[unknown]).unwrap_err().comment.contains("'nme'"));
    }
}
