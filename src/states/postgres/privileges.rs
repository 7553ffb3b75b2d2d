//! `postgres_privileges.present` and `postgres_privileges.absent`: what a role may do with an object, and who is in a group.

use std::collections::BTreeMap;

use super::server::{Row, Server, identifier, quoted};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

/// The privileges and the letters that stand for them in an access list.
const LETTERS: [(char, &str); 13] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('m', "MAINTAIN"),
    ('C', "CREATE"),
    ('U', "USAGE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('X', "EXECUTE"),
];

/// The kinds of objects, and the letters of the privileges that there are for them.
const KINDS: [(&str, &str); 8] = [
    ("table", "arwdDxtm"),
    ("tablespace", "C"),
    ("language", "U"),
    ("sequence", "rwU"),
    ("schema", "UC"),
    ("database", "CTc"),
    ("function", "X"),
    ("group", ""),
];

/// The first version in which tables can be maintained by others.
const MAINTAIN_SINCE: u32 = 170_000;

/// What a state is about.
struct Wanted {
    role: String,
    object: String,
    kind: String,
    prepend: String,
    privileges: Vec<String>,
    grant_option: bool,
}

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    let wanted = Wanted::read(args).map_err(|failed| failed.comment)?;
    let Some((_, letters)) = KINDS.iter().find(|(kind, _)| *kind == wanted.kind) else {
        return Err(format!("Invalid object_type: {} provided", wanted.kind));
    };
    if wanted.kind == "group" {
        let is_set = !wanted.privileges.is_empty();
        let wrong = is_set.then(|| "The privileges option should not be set for object_type group".to_owned());
        return wrong.map_or(Ok(()), Err);
    }
    let is_known = |name: &str| name == "ALL" || letters.chars().any(|letter| privilege(letter) == Some(name));
    if wanted.privileges.is_empty() || !wanted.privileges.iter().all(|name| is_known(name)) {
        let given = wanted.privileges.join(",");
        return Err(format!("Invalid privilege(s): {given} provided for object {}", wanted.kind));
    }
    Ok(())
}

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (wanted, server) = (Wanted::read(&call.args)?, Server::of(call, None)?);
    if wanted.is_granted(&server)? {
        return Ok(Return::unchanged("The requested privilege(s) are already set"));
    }
    let (what, role) = (wanted.what(&call.args)?, &wanted.role);
    if call.preview {
        return Ok(super::would(format!("The privilege(s): {what} are set to be granted to {role}")));
    }
    let option = match (wanted.grant_option, wanted.kind.as_str()) {
        (false, _) => "",
        (true, "group") => " WITH ADMIN OPTION",
        (true, _) => " WITH GRANT OPTION",
    };
    let granted = server.execute(&format!("GRANT {} TO {}{option};", wanted.sql(), identifier(role)));
    granted.map_err(|why| format!("Failed to grant privilege(s): {what} to {role} ({why})"))?;
    let comment = format!("The privilege(s): {what} have been granted to {role}");
    Ok(Return::changed(dict([(role.as_str(), "Present".into())]), comment))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (wanted, server) = (Wanted::read(&call.args)?, Server::of(call, None)?);
    if !wanted.is_to_be_revoked(&server)? {
        return Ok(Return::unchanged("The requested privilege(s) are not set so cannot be revoked"));
    }
    let (what, role) = (wanted.what(&call.args)?, &wanted.role);
    if call.preview {
        return Ok(super::would(format!("The privilege(s): {what} are set to be revoked from {role}")));
    }
    let revoked = server.execute(&format!("REVOKE {} FROM {};", wanted.sql(), identifier(role)));
    revoked.map_err(|why| format!("Failed to revoke privilege(s): {what} from {role} ({why})"))?;
    let comment = format!("The privilege(s): {what} have been revoked from {role}");
    Ok(Return::changed(dict([(role.as_str(), "Absent".into())]), comment))
}

impl Wanted {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let privileges = args.texts("privileges")?;
        let privileges = privileges.iter().flat_map(|names| names.split(','));
        let kind = args.required("object_type")?.to_lowercase();
        Ok(Self {
            role: args.name()?,
            object: args.required("object_name")?,
            kind,
            prepend: args.text("prepend")?.unwrap_or_else(|| "public".into()),
            privileges: privileges.map(|name| name.trim().to_uppercase()).collect(),
            grant_option: args.flag("grant_option", false),
        })
    }

    /// What a comment calls it.
    fn what(&self, args: &Args<'_>) -> Result<String, Failed> {
        Ok(if self.kind == "group" { self.object.clone() } else { args.texts("privileges")?.join(",") })
    }

    /// Whether this is about all objects of a kind in a schema.
    fn is_all(&self) -> bool {
        ["table", "sequence"].contains(&self.kind.as_str()) && self.object.eq_ignore_ascii_case("ALL")
    }

    /// What is granted, in SQL.
    fn sql(&self) -> String {
        if self.kind == "group" {
            return identifier(&self.object);
        }
        let (privileges, kind) = (self.privileges.join(","), self.kind.to_uppercase());
        if self.is_all() {
            return format!("{privileges} ON ALL {kind}S IN SCHEMA {}", identifier(&self.prepend));
        }
        let object = match self.kind.as_str() {
            "table" | "sequence" => format!("{}.{}", identifier(&self.prepend), identifier(&self.object)),
            // It comes with its arguments.
            "function" => self.object.clone(),
            _ => identifier(&self.object),
        };
        format!("{privileges} ON {kind} {object}")
    }

    /// Whether the role may do all of it with every object that it is about.
    fn is_granted(&self, server: &Server<'_>) -> Result<bool, Failed> {
        let rows = server.rows(&self.query())?;
        if self.kind == "group" {
            let is_enough = |row: &Row| !self.grant_option || column(row, "admin") == "t";
            return Ok(rows.iter().any(|row| column(row, "owner") == self.role && is_enough(row)));
        }
        let is_enough = |row: &Row| column(row, "owner") == self.role || self.is_in(row);
        Ok((self.is_all() || !rows.is_empty()) && rows.iter().all(is_enough))
    }

    /// Whether the role may do all of it with an object. Of what it owns it can take that away from itself.
    fn is_to_be_revoked(&self, server: &Server<'_>) -> Result<bool, Failed> {
        let rows = server.rows(&self.query())?;
        let is_own = |row: &Row| column(row, "owner") == self.role;
        Ok(rows.iter().any(|row| match self.kind.as_str() {
            "group" => is_own(row),
            _ => self.is_in(row) || is_own(row) && column(row, "acl").is_empty(),
        }))
    }

    /// Whether an access list has all of it.
    fn is_in(&self, row: &Row) -> bool {
        let allowed = allowed(column(row, "acl"), &self.role);
        let version = column(row, "version").parse().unwrap_or(0);
        let letters = KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, letters)| letters);
        let has = |name: &str| allowed.get(name).is_some_and(|may_grant| *may_grant || !self.grant_option);
        self.privileges.iter().all(|name| match name.as_str() {
            "ALL" => letters
                .chars()
                .filter(|letter| *letter != 'm' || version >= MAINTAIN_SINCE)
                .all(|letter| privilege(letter).is_some_and(has)),
            name => has(name),
        })
    }

    /// Asks for the owner and the access list of every object that it is about, or for the members of a group.
    fn query(&self) -> String {
        let (schema, object) = (quoted(&self.prepend), quoted(&self.object));
        let (owner, acl, from, condition) = match self.kind.as_str() {
            "table" | "sequence" => {
                let kinds = if self.kind == "table" { "'r', 'v', 'm', 'p', 'f'" } else { "'S'" };
                let name = if self.is_all() { String::new() } else { format!(" AND o.relname = {object}") };
                let condition = format!("n.nspname = {schema}{name} AND o.relkind IN ({kinds})");
                ("relowner", "relacl", "pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace", condition)
            }
            "function" => {
                let condition = format!("n.nspname = {schema} AND o.oid::regprocedure::text = {object}");
                ("proowner", "proacl", "pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace", condition)
            }
            "schema" => ("nspowner", "nspacl", "pg_namespace o", format!("o.nspname = {object}")),
            "tablespace" => ("spcowner", "spcacl", "pg_tablespace o", format!("o.spcname = {object}")),
            "language" => ("lanowner", "lanacl", "pg_language o", format!("o.lanname = {object}")),
            "database" => ("datdba", "datacl", "pg_database o", format!("o.datname = {object}")),
            _ => {
                return format!(
                    "SELECT r.rolname AS owner, m.admin_option AS admin FROM pg_auth_members m \
                     JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = {object}"
                );
            }
        };
        format!(
            "SELECT pg_get_userbyid(o.{owner}) AS owner, array_to_string(o.{acl}, E'\\n') AS acl, \
             current_setting('server_version_num') AS version FROM {from} WHERE {condition}"
        )
    }
}

fn column<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

fn privilege(letter: char) -> Option<&'static str> {
    LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, name)| *name)
}

/// What an access list allows a role, and whether it may pass it on: `role=r*w/owner`, a line each.
fn allowed(acl: &str, role: &str) -> BTreeMap<&'static str, bool> {
    let mut allowed = BTreeMap::new();
    for entry in acl.lines() {
        let Some((name, letters)) = entry.rsplit_once('/').and_then(|(entry, _)| entry.rsplit_once('=')) else {
            continue;
        };
        let name = if name.is_empty() { "public".to_owned() } else { unquoted(name) };
        if name != role {
            continue;
        }
        let mut last = None;
        for letter in letters.chars() {
            if letter == '*' {
                allowed.extend(last.map(|name| (name, true)));
            } else {
                last = privilege(letter);
                allowed.extend(last.map(|name| (name, false)));
            }
        }
    }
    allowed
}

/// The name of a role, which an access list has in quotes where it is not a plain word.
fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::Data;

    fn wanted(kind: &str, privileges: &[&str]) -> Wanted {
        let list: Data = privileges.iter().map(|name| Data::from(*name)).collect();
        let chunk = dict([
            ("name", "joe".into()),
            ("object_name", "t".into()),
            ("object_type", kind.into()),
            ("privileges", list),
        ]);
        Wanted::read(&Args::new(&chunk)).unwrap()
    }

    #[test]
    fn an_access_list_says_what_a_role_may_do() {
        let acl = "postgres=arwdDxt/postgres\njoe=r*w/postgres\n=c/postgres\n\"a b\"=X/postgres";
        assert_eq!(allowed(acl, "joe"), BTreeMap::from([("SELECT", true), ("UPDATE", false)]));
        assert_eq!(allowed(acl, "public"), BTreeMap::from([("CONNECT", false)]));
        assert_eq!(allowed(acl, "a b"), BTreeMap::from([("EXECUTE", false)]));
    }

    #[test]
    fn all_is_what_the_version_of_the_server_has() {
        let row = |version: &str| -> Row {
            let pairs = [("owner", "postgres"), ("acl", "joe=arwdDxt/postgres"), ("version", version)];
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert!(wanted("table", &["ALL"]).is_in(&row("150018")));
        assert!(!wanted("table", &["ALL"]).is_in(&row("170001")));
        assert!(wanted("table", &["select", "insert"]).is_in(&row("170001")));
    }

    #[test]
    fn what_is_granted_is_quoted() {
        assert_eq!(wanted("table", &["select", "insert"]).sql(), "SELECT,INSERT ON TABLE \"public\".\"t\"");
        assert_eq!(wanted("database", &["CONNECT"]).sql(), "CONNECT ON DATABASE \"t\"");
    }
}
