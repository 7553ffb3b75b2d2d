//! What a grant allows: read from an SLS and from what the server shows.

use std::collections::BTreeSet;

/// One thing that may be done, perhaps to one column only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Privilege {
    /// In capitals, with the name that the server gives it.
    pub(super) name: String,
    column: Option<String>,
}

/// What a line of `SHOW GRANTS` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) privileges: BTreeSet<Privilege>,
    /// What it is for, see [`place`].
    pub(super) place: String,
}

/// The privileges of `MySQL` 5 to 8 and `MariaDB` that Salt knows.
const KNOWN: &str = "
    ALL PRIVILEGES|ALTER|ALTER ROUTINE|BACKUP_ADMIN|BINLOG_ADMIN|BINLOG ADMIN|BINLOG MONITOR|BINLOG REPLAY|\
    CONNECTION_ADMIN|CONNECTION ADMIN|CREATE|CREATE ROLE|CREATE ROUTINE|CREATE TABLESPACE|CREATE TEMPORARY TABLES|\
    CREATE USER|CREATE VIEW|DELETE|DELETE HISTORY|DROP|DROP ROLE|ENCRYPTION_KEY_ADMIN|EVENT|EXECUTE|FEDERATED ADMIN|\
    FILE|GRANT OPTION|GROUP_REPLICATION_ADMIN|INDEX|INSERT|LOCK TABLES|PERSIST_RO_VARIABLES_ADMIN|PROCESS|\
    READ_ONLY ADMIN|REFERENCES|RELOAD|REPLICA MONITOR|REPLICATION CLIENT|REPLICATION MASTER ADMIN|REPLICATION REPLICA|\
    REPLICATION SLAVE|REPLICATION_SLAVE_ADMIN|REPLICATION SLAVE ADMIN|RESOURCE_GROUP_ADMIN|RESOURCE_GROUP_USER|\
    ROLE_ADMIN|SELECT|SET USER|SET_USER_ID|SERVICE_CONNECTION_ADMIN|SHOW DATABASES|SHOW VIEW|SHUTDOWN|SLAVE MONITOR|\
    SUPER|SYSTEM_VARIABLES_ADMIN|TRIGGER|UPDATE|USAGE|XA_RECOVER_ADMIN";

/// Reads a list of privileges: `SELECT, INSERT (name, age), LOCK TABLES`.
pub(super) fn privileges(text: &str) -> BTreeSet<Privilege> {
    let mut found = BTreeSet::new();
    for part in split(text, ',') {
        let (name, columns) = part.split_once('(').unwrap_or((part, ""));
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        if name.is_empty() {
            continue;
        }
        let columns = columns.trim().trim_end_matches(')');
        let columns = columns.split(',').map(|column| column.trim().trim_matches('`').to_lowercase());
        let columns = columns.filter(|column| !column.is_empty());
        found.extend(columns.map(|column| Privilege { name: name.clone(), column: Some(column) }));
        found.insert(Privilege { name, column: None });
    }
    found
}

/// Whether Salt lets a privilege be granted.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.split('|').any(|known| known.trim() == name)
}

/// The name under which a server shows a privilege that it was given under another one.
pub(super) fn resolved(privileges: BTreeSet<Privilege>, version: &str) -> BTreeSet<Privilege> {
    let since = |least: &[u32]| version.contains("MariaDB") && super::server::is_at_least(version, least);
    let resolve = |mut privilege: Privilege| {
        let shown = match privilege.name.as_str() {
            "REPLICATION REPLICA" if since(&[10, 5, 1]) => "REPLICATION SLAVE",
            "REPLICATION CLIENT" if since(&[10, 5, 2]) => "BINLOG MONITOR",
            "REPLICA MONITOR" if since(&[10, 5, 9]) => "SLAVE MONITOR",
            _ => return privilege,
        };
        shown.clone_into(&mut privilege.name);
        privilege
    };
    privileges.into_iter().map(resolve).collect()
}

/// A line of `SHOW GRANTS`; `None` if it is about a role or a proxy.
pub(super) fn shown(line: &str) -> Option<Grant> {
    let rest = line.strip_prefix("GRANT ")?;
    let on = find(rest, " ON ")?;
    let (allowed, rest) = (&rest[..on], &rest[on + " ON ".len()..]);
    let to = find(rest, " TO ")?;
    Some(Grant { privileges: privileges(allowed), place: place(&rest[..to]) })
}

/// What a grant is for, without the marks that quote and escape it: they differ from server to server.
pub(super) fn place(text: &str) -> String {
    let mut place = String::new();
    let mut is_quoted = false;
    for char in text.chars() {
        match char {
            '`' => is_quoted = !is_quoted,
            '"' | '\\' => {}
            char if char.is_whitespace() && !is_quoted => {}
            char => place.push(char),
        }
    }
    place
}

/// Where a word stands first outside of quotes and parentheses.
fn find(text: &str, word: &str) -> Option<usize> {
    outside(text).find(|(at, _)| text[*at..].starts_with(word)).map(|(at, _)| at)
}

/// The parts between marks that stand outside of quotes and parentheses.
fn split(text: &str, mark: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in outside(text).filter(|(_, char)| *char == mark) {
        parts.push(&text[start..at]);
        start = at + mark.len_utf8();
    }
    parts.push(&text[start..]);
    parts
}

/// The characters outside of quotes and parentheses, with where they stand.
fn outside(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut depth = 0_u32;
    text.char_indices().filter(move |(_, char)| {
        match (quote, char) {
            (Some(open), char) => quote = (open != *char).then_some(open),
            (None, '`' | '\'') => quote = Some(*char),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => return depth == 0,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(privileges: &BTreeSet<Privilege>) -> Vec<String> {
        let name = |privilege: &Privilege| match &privilege.column {
            Some(column) => format!("{}.{column}", privilege.name),
            None => privilege.name.clone(),
        };
        privileges.iter().map(name).collect()
    }

    #[test]
    fn what_is_given_and_what_is_shown_are_the_same() {
        let given = privileges("select (Name, age),lock  tables");
        assert_eq!(names(&given), ["LOCK TABLES", "SELECT", "SELECT.age", "SELECT.name"]);
        let shown = shown("GRANT SELECT (`age`, `name`), LOCK TABLES ON `te TO st`.`t` TO `joe`@`%`").unwrap();
        assert_eq!((shown.privileges, shown.place.as_str()), (given, "te TO st.t"));
    }

    #[test]
    fn a_place_is_the_same_however_it_is_quoted() {
        assert_eq!(place(r"`my\_db`.*"), place("my_db . *"));
        assert_eq!(place("PROCEDURE `a`.`b`"), "PROCEDUREa.b");
    }

    #[test]
    fn a_role_is_no_grant() {
        assert_eq!(shown("GRANT `admins` TO `joe`@`%`"), None);
        assert!(shown("GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION").is_some());
    }

    #[test]
    fn mariadb_shows_some_under_other_names() {
        let given = || privileges("REPLICATION CLIENT");
        assert_eq!(names(&resolved(given(), "10.11.4-MariaDB")), ["BINLOG MONITOR"]);
        assert_eq!(names(&resolved(given(), "10.3.1-MariaDB")), ["REPLICATION CLIENT"]);
        assert_eq!(names(&resolved(given(), "8.0.30")), ["REPLICATION CLIENT"]);
        assert!(is_known("REPLICATION CLIENT") && is_known("ALL PRIVILEGES") && is_known("XA_RECOVER_ADMIN"));
        assert!(!is_known("ALL") && !is_known("SELECT;"));
    }
}
