//! `postgres_user` and `postgres_group`: roles, which differ in what they are by default.

use super::password::Method;
use super::server::{Row, Server, identifier, quoted};
use crate::formula::{Data, Dict};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

/// What Salt calls a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
}

/// What a role may be: the argument, the column, the word in SQL. The order is the one in which Salt compares them.
const ATTRIBUTES: [(&str, &str, &str); 6] = [
    ("createdb", "rolcreatedb", "CREATEDB"),
    ("inherit", "rolinherit", "INHERIT"),
    ("login", "rolcanlogin", "LOGIN"),
    ("createroles", "rolcreaterole", "CREATEROLE"),
    ("replication", "rolreplication", "REPLICATION"),
    ("superuser", "rolsuper", "SUPERUSER"),
];

impl Kind {
    /// In lower case, and as a comment begins with it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::User => ("user", "User"),
            Self::Group => ("group", "Group"),
        }
    }
}

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    method(args).map(drop)
}

pub(super) fn present(call: &Call<'_>, kind: Kind) -> Result<Return, Failed> {
    let (name, server, method) = (call.args.name()?, Server::of(call, None)?, method(&call.args)?);
    let (word, title) = kind.words();
    let valid_until = call.args.text("valid_until")?;
    let there = role(&server, &name, !call.args.flag("refresh_password", false), valid_until.as_deref())?;
    let verb = if there.is_some() { "update" } else { "create" };
    let password = match (call.args.text("password")?, &there) {
        (Some(password), Some(there)) => Some(password).filter(|password| {
            call.args.flag("refresh_password", false) || !method.is_of(column(there, "password"), &name, password)
        }),
        (Some(password), None) => Some(password),
        (None, None) => call.args.text("default_password")?,
        (None, Some(_)) => None,
    };
    let mut update = Dict::default();
    if let Some(there) = &there {
        update = differing(&call.args, there, password.is_some())?;
        if update.entries.is_empty() {
            return Ok(Return::unchanged(format!("{title} {name} is already present")));
        }
    }
    let change: Data = if there.is_some() { Data::from(update) } else { "Present".into() };
    let changes = dict([(name.as_str(), change)]);
    if call.preview {
        let changes = if there.is_some() { changes } else { Dict::default() };
        return Ok(Return::would(changes, format!("{title} {name} is set to be {verb}d")));
    }
    let verifier = password.map(|password| method.verifier(&name, &password)).transpose()?;
    let sql = definition(call, kind, &name, there.as_ref(), verifier.as_deref())?;
    server.execute(&sql).map_err(|why| format!("Failed to {verb} {word} {name} ({why})"))?;
    Ok(Return::changed(changes, format!("The {word} {name} has been {verb}d")))
}

pub(super) fn absent(call: &Call<'_>, kind: Kind) -> Result<Return, Failed> {
    let (name, server) = (call.args.name()?, Server::of(call, None)?);
    let title = kind.words().1;
    if server.rows(&format!("SELECT 1 FROM pg_roles WHERE rolname = {}", quoted(&name)))?.is_empty() {
        return Ok(Return::unchanged(format!("{title} {name} is not present, so it cannot be removed")));
    }
    if call.preview {
        return Ok(super::would(format!("{title} {name} is set to be removed")));
    }
    let dropped = server.execute(&format!("DROP ROLE {};", identifier(&name)));
    dropped.map_err(|why| format!("{title} {name} failed to be removed ({why})"))?;
    let comment = format!("{title} {name} has been removed");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

/// How the password is to be kept.
fn method(args: &Args<'_>) -> Result<Method, String> {
    match args.get("encrypted") {
        None | Some(Data::Bool(true)) => Ok(Method::Md5),
        Some(Data::Bool(false)) => Ok(Method::Server),
        Some(other) => match other.as_str() {
            Some("md5") => Ok(Method::Md5),
            Some("scram-sha-256") => Ok(Method::Scram),
            _ => Err("`encrypted` has to be true, false, `md5` or `scram-sha-256`".into()),
        },
    }
}

/// A role as it is; its password only where everything may be read.
fn role(server: &Server<'_>, name: &str, password: bool, valid_until: Option<&str>) -> Result<Option<Row>, Failed> {
    let (more, from) =
        if password { (", a.rolpassword AS password", " LEFT JOIN pg_authid a ON a.oid = r.oid") } else { ("", "") };
    let wanted = valid_until.map_or("NULL::timestamp".to_owned(), |text| format!("{}::timestamp(0)", quoted(text)));
    let query = format!(
        "SELECT r.rolcreatedb, r.rolinherit, r.rolcanlogin, r.rolcreaterole, r.rolreplication, r.rolsuper, \
         to_char(r.rolvaliduntil::timestamp(0), 'YYYY-MM-DD HH24:MI:SS') AS valid_until, \
         to_char({wanted}, 'YYYY-MM-DD HH24:MI:SS') AS wanted_until, \
         (SELECT array_agg(g.rolname::text) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid \
         WHERE m.member = r.oid) AS groups{more} FROM pg_roles r{from} WHERE r.rolname = {}",
        quoted(name)
    );
    Ok(server.rows(&query)?.into_iter().next())
}

fn column<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

/// What a role has to be that it is not, by Salt's arguments.
fn differing(args: &Args<'_>, there: &Row, password: bool) -> Result<Dict, Failed> {
    let mut update = Dict::default();
    for (argument, name, _) in ATTRIBUTES {
        if let Some(wanted) = args.get(argument)
            && wanted.is_true() != (column(there, name) == "t")
        {
            update.insert(argument, wanted.clone());
        }
    }
    if password {
        update.insert("password", true);
    }
    if let Some(wanted) = args.text("valid_until")?
        && column(there, "valid_until") != column(there, "wanted_until")
    {
        update.insert("valid_until", wanted);
    }
    let of = members(column(there, "groups"));
    let missing: Vec<Data> = groups(args)?.into_iter().filter(|group| !of.contains(group)).map(Data::from).collect();
    if !missing.is_empty() {
        update.insert("groups", missing);
    }
    Ok(update)
}

/// The groups that a role has to be in: a list, or names with commas between them.
fn groups(args: &Args<'_>) -> Result<Vec<String>, Failed> {
    let groups = args.texts("groups")?;
    Ok(groups.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The items of an array as the server writes it: `{a,"b c"}`.
fn members(array: &str) -> Vec<String> {
    let items = array.trim_start_matches('{').trim_end_matches('}');
    let mut reader = csv::ReaderBuilder::new().has_headers(false).escape(Some(b'\\')).from_reader(items.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(str::to_owned).collect()
}

/// The SQL that makes a role what it is to be, all of it or nothing.
fn definition(
    call: &Call<'_>,
    kind: Kind,
    name: &str,
    there: Option<&Row>,
    verifier: Option<&str>,
) -> Result<String, Failed> {
    let mut words = Vec::new();
    for (argument, column_name, word) in ATTRIBUTES {
        let default = match (argument, kind) {
            _ if there.is_some() => None,
            ("inherit", _) => Some(true),
            ("login", kind) => Some(kind == Kind::User),
            _ => None,
        };
        let Some(wanted) = call.args.get(argument).map(Data::is_true).or(default) else { continue };
        // Only a superuser may say it, even where it changes nothing.
        let is_so = there.is_some_and(|there| wanted == (column(there, column_name) == "t"));
        if argument != "superuser" || !is_so {
            words.push(if wanted { word.to_owned() } else { format!("NO{word}") });
        }
    }
    if let Some(verifier) = verifier {
        words.push(format!("PASSWORD {}", quoted(verifier)));
    }
    if let Some(until) = call.args.text("valid_until")? {
        words.push(format!("VALID UNTIL {}", quoted(&until)));
    }
    let role = identifier(name);
    let verb = if there.is_some() { "ALTER" } else { "CREATE" };
    let with = if words.is_empty() { String::new() } else { format!(" WITH {}", words.join(" ")) };
    let mut sql = format!("BEGIN;\n{verb} ROLE {role}{with};\n");
    for group in groups(&call.args)? {
        sql += &format!("GRANT {} TO {role};\n", identifier(&group));
    }
    Ok(sql + "COMMIT;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_the_server_is_read() {
        assert_eq!(members(r#"{a,"b c"}"#), ["a", "b c"]);
        assert!(members("").is_empty());
    }

    #[test]
    fn what_differs_is_said_in_the_words_of_the_sls() {
        let row =
            [("rolcreatedb", "f"), ("rolsuper", "t"), ("groups", "{a}"), ("valid_until", ""), ("wanted_until", "")];
        let row: Row = row.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let chunk = dict([("createdb", true.into()), ("superuser", true.into()), ("groups", "a,b".into())]);
        let update = differing(&Args::new(&chunk), &row, true).unwrap();
        let wanted = dict([("createdb", true.into()), ("password", true.into()), ("groups", vec!["b".into()].into())]);
        assert_eq!(update, wanted);
    }
}
