//! `postgres_database.present` and `postgres_database.absent`.

use super::server::{Row, Server, identifier, quoted};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

/// What can be said of a database: the argument, the word in SQL, whether it is a name there, whether it can be changed.
const PROPERTIES: [(&str, &str, bool, bool); 6] = [
    ("tablespace", "TABLESPACE", true, true),
    ("owner", "OWNER", true, true),
    ("template", "TEMPLATE", true, true),
    ("encoding", "ENCODING", false, false),
    ("lc_collate", "LC_COLLATE", false, false),
    ("lc_ctype", "LC_CTYPE", false, false),
];

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    if args.flag("owner_recurse", false) { Err("upshift has no `owner_recurse`".into()) } else { Ok(()) }
}

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, server) = (call.args.name()?, Server::of(call, None)?);
    let Some(there) = database(&server, &name)? else { return create(call, &server, &name) };
    let mut changes = Vec::new();
    for (argument, word, _, can_change) in PROPERTIES {
        let Some(wanted) = given(&call.args, argument)?.filter(|wanted| !is_so(&there, argument, wanted)) else {
            continue;
        };
        if !can_change {
            return Err(format!("Database {name} has wrong parameters which couldn't be changed on fly.").into());
        }
        let how = if word == "OWNER" { "OWNER TO" } else { "SET TABLESPACE" };
        changes.push(format!("ALTER DATABASE {} {how} {};", identifier(&name), identifier(&wanted)));
    }
    if changes.is_empty() {
        return Ok(Return::unchanged(format!("Database {name} is already present")));
    }
    if call.preview {
        return Ok(super::would(format!("Database {name} exists, but parameters need to be changed")));
    }
    let changed = server.execute(&changes.join("\n"));
    changed.map_err(|why| format!("Failed to change parameters for database {name} ({why})"))?;
    let comment = format!("Parameters for database {name} have been changed");
    Ok(Return::changed(dict([(name, "Parameters changed".into())]), comment))
}

fn create(call: &Call<'_>, server: &Server<'_>, name: &str) -> Result<Return, Failed> {
    if call.preview {
        return Ok(super::would(format!("Database {name} is set to be created")));
    }
    let mut sql = format!("CREATE DATABASE {}", identifier(name));
    for (argument, word, is_name, _) in PROPERTIES {
        if let Some(value) = given(&call.args, argument)? {
            sql += &format!(" {word} = {}", if is_name { identifier(&value) } else { quoted(&value) });
        }
    }
    server.execute(&format!("{sql};")).map_err(|why| format!("Failed to create database {name} ({why})"))?;
    Ok(Return::changed(dict([(name, "Present".into())]), format!("The database {name} has been created")))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, server) = (call.args.name()?, Server::of(call, None)?);
    if database(&server, &name)?.is_none() {
        return Ok(Return::unchanged(format!("Database {name} is not present, so it cannot be removed")));
    }
    if call.preview {
        return Ok(super::would(format!("Database {name} is set to be removed")));
    }
    // Nobody may come back between being sent away and the end of the database.
    let database = identifier(&name);
    let dropped = server.execute(&format!(
        "REVOKE CONNECT ON DATABASE {database} FROM public;\n\
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid();\n\
         DROP DATABASE {database};",
        quoted(&name)
    ));
    dropped.map_err(|why| format!("Database {name} failed to be removed ({why})"))?;
    let comment = format!("Database {name} has been removed");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

fn given(args: &Args<'_>, argument: &str) -> Result<Option<String>, Failed> {
    Ok(args.text(argument)?.filter(|value| !value.is_empty()))
}

/// Whether a database has a property; what it was made from is not known afterwards.
fn is_so(there: &Row, argument: &str, wanted: &str) -> bool {
    let is = there.get(argument).map_or("", String::as_str);
    match argument {
        "template" => true,
        "encoding" => is.eq_ignore_ascii_case(wanted),
        _ => is == wanted,
    }
}

fn database(server: &Server<'_>, name: &str) -> Result<Option<Row>, Failed> {
    let query = format!(
        "SELECT r.rolname AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS lc_collate, \
         d.datctype AS lc_ctype, t.spcname AS tablespace FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
         JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = {}",
        quoted(name)
    );
    Ok(server.rows(&query)?.into_iter().next())
}
