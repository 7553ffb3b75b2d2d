//! `mysql_database.present` and `mysql_database.absent`.

use super::server::{Refusal, Row, Server, identifier, quoted};
use crate::formula::Dict;
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

/// The properties of a database: the argument, what Salt calls it in a comment, its column, its words in SQL.
const PROPERTIES: [(&str, &str, &str, &str); 2] = [
    ("character_set", "character set", "DEFAULT_CHARACTER_SET_NAME", "CHARACTER SET"),
    ("collate", "collate", "DEFAULT_COLLATION_NAME", "COLLATE"),
];

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let server = Server::of(call)?;
    let mut wanted = String::new();
    for (argument, _, _, sql) in PROPERTIES {
        if let Some(value) = call.args.text(argument)?.filter(|value| !value.is_empty()) {
            wanted += &format!(" {sql} {}", quoted(&value));
        }
    }
    if let Some(there) = server.database(&name)? {
        return alter(call, &server, &name, &there, &wanted);
    }
    if call.preview {
        let comment = format!("Database {name} is not present and needs to be created");
        return Ok(Return::would(Dict::default(), comment));
    }
    let sql = format!("CREATE DATABASE IF NOT EXISTS {}{wanted};", identifier(&name));
    server.execute(&sql).map_err(|refusal| format!("Failed to create database {name} ({refusal})"))?;
    let comment = format!("The database {name} has been created");
    Ok(Return::changed(dict([(name, "Present".into())]), comment))
}

/// Gives a database that is there the character set and the collation that it is to have.
fn alter(call: &Call<'_>, server: &Server<'_>, name: &str, there: &Row, wanted: &str) -> Result<Return, Failed> {
    let value = |row: &Row, column: &str| row.get(column).cloned().unwrap_or_default();
    let mut comment = None;
    for (argument, words, column, _) in PROPERTIES {
        let (is, to_be) = (value(there, column), call.args.text(argument)?.filter(|value| !value.is_empty()));
        let Some(to_be) = to_be.filter(|to_be| *to_be != is) else { continue };
        let line = format!("Database {words} {to_be} != {is} needs to be updated");
        let before = comment.unwrap_or_else(|| format!("Database {name} is already present"));
        comment = Some(if argument == "collate" { format!("{before}\n{line}") } else { line });
    }
    let Some(comment) = comment else { return Ok(Return::unchanged(format!("Database {name} is already present"))) };
    if call.preview {
        // Salt ends with what it has said of the collation, if that differs.
        let is_last = comment.contains("\nDatabase collate ");
        let more = if is_last { String::new() } else { format!("\nDatabase {name} is going to be updated") };
        return Ok(Return::would(Dict::default(), format!("{comment}{more}")));
    }
    server.execute(&format!("ALTER DATABASE {}{wanted};", identifier(name)))?;
    let now = server.database(name)?.unwrap_or_default();
    let mut changes = Dict::default();
    for (argument, _, column, _) in PROPERTIES.into_iter().rev() {
        let (before, now) = (value(there, column), value(&now, column));
        if before != now {
            changes.insert(argument, dict([("before", before.into()), ("now", now.into())]));
        }
    }
    Ok(Return::changed(changes, comment))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let server = Server::of(call)?;
    if server.database(&name)?.is_none() {
        return Ok(Return::unchanged(format!("Database {name} is not present, so it cannot be removed")));
    }
    if call.preview {
        let comment = format!("Database {name} is present and needs to be removed");
        return Ok(Return::would(Dict::default(), comment));
    }
    let cannot = |why: String| Failed::from(format!("Unable to remove database {name} ({why})"));
    if ["mysql", "information_schema"].contains(&name.as_str()) {
        return Err(cannot("the server needs it".into()));
    }
    let dropped = server.execute(&format!("DROP DATABASE {};", identifier(&name)));
    dropped.map_err(|refusal| cannot(refusal.to_string()))?;
    let comment = format!("Database {name} has been removed");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

impl Server<'_> {
    /// What a database is; `None` if there is none of this name.
    pub(super) fn database(&self, name: &str) -> Result<Option<Row>, Refusal> {
        let columns = "DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME";
        let from = "INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME";
        Ok(self.rows(&format!("SELECT {columns} FROM {from} = {};", quoted(name)))?.into_iter().next())
    }
}
