//! `postgres_extension.present` and `postgres_extension.absent`, in the database that is given as `maintenance_db`.

use super::server::{Row, Server, identifier, quoted};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, server) = (call.args.name()?, Server::of(call, None)?);
    let (schema, version) = (call.args.text("schema")?, call.args.text("ext_version")?.map(|text| bare(&text)));
    let installed = extension(&server, &name)?;
    let id = identifier(&name);
    let mut sql = Vec::new();
    if let Some(there) = &installed {
        let is = |column: &str| there.get(column).map_or("", String::as_str);
        if let Some(schema) = &schema
            && is("extrelocatable") == "t"
            && is("nspname") != schema
        {
            sql.push(format!("ALTER EXTENSION {id} SET SCHEMA {};", identifier(schema)));
        }
        if let Some(version) = &version
            && is_older(is("extversion"), version)
        {
            sql.push(format!("ALTER EXTENSION {id} UPDATE TO {};", quoted(version)));
        }
    } else {
        let exists = if call.args.flag("if_not_exists", true) { " IF NOT EXISTS" } else { "" };
        let schema = schema.map(|schema| format!(" SCHEMA {}", identifier(&schema))).unwrap_or_default();
        let version = version.map(|version| format!(" VERSION {}", quoted(&version))).unwrap_or_default();
        let from = call.args.text("from_version")?.map(|text| format!(" FROM {}", quoted(&bare(&text))));
        sql.push(format!("CREATE EXTENSION{exists} {id}{schema}{version}{};", from.unwrap_or_default()));
    }
    if sql.is_empty() {
        return Ok(Return::unchanged(format!("Extension {name} is already present")));
    }
    let (verb, done, change) = match installed {
        None => ("install", "installed", "Installed"),
        Some(_) => ("upgrade", "upgraded", "Upgraded"),
    };
    if call.preview {
        return Ok(super::would(format!("Extension {name} is set to be {done}")));
    }
    let ran = server.execute(&format!("BEGIN;\n{}\nCOMMIT;", sql.join("\n")));
    ran.map_err(|why| format!("Failed to {verb} extension {name} ({why})"))?;
    let comment = format!("The extension {name} has been {done}");
    Ok(Return::changed(dict([(name, change.into())]), comment))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, server) = (call.args.name()?, Server::of(call, None)?);
    if extension(&server, &name)?.is_none() {
        return Ok(Return::unchanged(format!("Extension {name} is not present, so it cannot be removed")));
    }
    if call.preview {
        return Ok(super::would(format!("Extension {name} is set to be removed")));
    }
    let exists = if call.args.flag("if_exists", false) { " IF EXISTS" } else { "" };
    let restrict = call.args.flag("restrict", false);
    let how = match call.args.flag("cascade", true) {
        true if call.args.get("cascade").is_some() || !restrict => " CASCADE",
        _ if restrict => " RESTRICT",
        _ => "",
    };
    let dropped = server.execute(&format!("DROP EXTENSION{exists} {}{how};", identifier(&name)));
    dropped.map_err(|why| format!("Extension {name} failed to be removed ({why})"))?;
    let comment = format!("Extension {name} has been removed");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

fn extension(server: &Server<'_>, name: &str) -> Result<Option<Row>, Failed> {
    let query = format!(
        "SELECT e.extversion, e.extrelocatable, n.nspname FROM pg_extension e \
         JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = {}",
        quoted(name)
    );
    Ok(server.rows(&query)?.into_iter().next())
}

/// A version that an SLS may have in quotes, since Salt puts it into SQL as it is.
fn bare(version: &str) -> String {
    version.trim_matches(['\'', '"']).to_owned()
}

/// Whether a version comes before another, number by number.
fn is_older(version: &str, than: &str) -> bool {
    let parts = |version: &str| -> Vec<(u64, String)> {
        let parts = version.split(['.', '-', '_']).map(|part| (part.parse().unwrap_or(0), part));
        parts.map(|(number, part)| (number, part.trim_start_matches(|c: char| c.is_ascii_digit()).into())).collect()
    };
    parts(version) < parts(than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_number_by_number() {
        assert!(is_older("1.9", "1.10") && !is_older("1.10", "1.9") && !is_older("1.10", "1.10"));
        assert!(is_older("1.1", "1.1.1") && is_older("1.0", "2"));
    }
}
