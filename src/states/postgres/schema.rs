//! `postgres_schema.present` and `postgres_schema.absent`.

use super::server::{Server, identifier, quoted};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, database) = (call.args.name()?, call.args.required("dbname")?);
    let server = Server::of(call, Some(database.clone()))?;
    if is_there(&server, &name)? {
        return Ok(Return::unchanged(format!("Schema {name} already exists in database {database}")));
    }
    if call.preview {
        return Ok(super::would(format!("Schema {name} is set to be created in database {database}.")));
    }
    let owner = call.args.text("owner")?.map(|owner| format!(" AUTHORIZATION {}", identifier(&owner)));
    let created = server.execute(&format!("CREATE SCHEMA {}{};", identifier(&name), owner.unwrap_or_default()));
    created.map_err(|why| format!("Failed to create schema {name} in database {database} ({why})"))?;
    let comment = format!("Schema {name} has been created in database {database}");
    Ok(Return::changed(dict([(name, "Present".into())]), comment))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, database) = (call.args.name()?, call.args.required("dbname")?);
    let server = Server::of(call, Some(database.clone()))?;
    if !is_there(&server, &name)? {
        let comment = format!("Schema {name} is not present in database {database}, so it cannot be removed");
        return Ok(Return::unchanged(comment));
    }
    if call.preview {
        return Ok(super::would(format!("Schema {name} is set to be removed from database {database}")));
    }
    let dropped = server.execute(&format!("DROP SCHEMA {};", identifier(&name)));
    dropped.map_err(|why| format!("Schema {name} failed to be removed ({why})"))?;
    let comment = format!("Schema {name} has been removed from database {database}");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

fn is_there(server: &Server<'_>, name: &str) -> Result<bool, Failed> {
    Ok(!server.rows(&format!("SELECT 1 FROM pg_namespace WHERE nspname = {}", quoted(name)))?.is_empty())
}
