//! The groups as selectors know them.
//!
//! Selectors take fewer names than Ansible: other characters become `_`, as Ansible's own
//! `force_valid_group_names` has it. No two groups end up with one name.

use indexmap::IndexMap;

use crate::config::inventory::ansible::data::{ALL, Data, UNGROUPED};
use crate::config::inventory::check;
use crate::config::source;
use crate::error::Result;
use crate::model::inventory::CONTROLLER;

/// The groups by the names that selectors know them by, each with the names of its hosts.
pub(super) fn selectable(data: &Data, members: &[Vec<usize>]) -> Result<IndexMap<String, Vec<String>>> {
    let mut groups: IndexMap<String, (&str, Vec<String>)> = IndexMap::new();
    for (id, (written, group)) in data.groups.iter().enumerate() {
        let hosts = members.get(id).map_or(&[][..], Vec::as_slice);
        if id == ALL || (id == UNGROUPED && hosts.is_empty()) {
            continue;
        }
        let name = plain(written);
        check(&name).map_err(|why| source::error(&group.place, format!("the group {why}")))?;
        let hosts: Vec<_> = hosts.iter().filter_map(|host| data.hosts.get_index(*host)).map(|(name, _)| name).collect();
        if data.hosts.contains_key(&name) {
            // Whoever selects the name gets the same either way.
            if hosts == [&name] {
                continue;
            }
            let message = format!("`{name}` is the name of a host and of a group with other hosts");
            return Err(
                source::error(&group.place, message).hint("a selector could not tell them apart: rename one of them")
            );
        }
        let hosts = hosts.into_iter().cloned().collect();
        if let Some((other, _)) = groups.get(&name) {
            let message = format!("the groups `{other}` and `{written}` are both `{name}` to a selector");
            return Err(source::error(&group.place, message).hint("rename one of them"));
        }
        groups.insert(name, (written, hosts));
    }
    Ok(groups.into_iter().map(|(name, (_, hosts))| (name, hosts)).collect())
}

/// A group's name in the characters that selectors take.
fn plain(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let plain = plain.trim_start_matches(['.', '_', '-']);
    // This one is the machine upshift runs on.
    if plain == CONTROLLER { format!("{plain}_") } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_characters_become_underscores() {
        assert_eq!(plain("web-servers.prod_1"), "web-servers.prod_1");
        assert_eq!(plain("tag_Name@käse é"), "tag_Name_k_se__");
        assert_eq!(plain("_private"), "private");
        assert_eq!(plain("controller"), "controller_");
    }
}
