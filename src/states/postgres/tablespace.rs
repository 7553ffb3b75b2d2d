//! `postgres_tablespace.present` and `postgres_tablespace.absent`.

use super::server::{Row, Server, identifier, quoted};
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, directory) = (call.args.name()?, call.args.required("directory")?);
    let (owner, options) = (call.args.text("owner")?, options(&call.args)?);
    let server = Server::of(call, None)?;
    let id = identifier(&name);
    let Some(there) = tablespace(&server, &name)? else {
        if call.preview {
            return Ok(super::would(format!("Tablespace {name} is set to be created")));
        }
        let owner = owner.map(|owner| format!(" OWNER {}", identifier(&owner))).unwrap_or_default();
        let with: Vec<String> = options.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let with = if with.is_empty() { String::new() } else { format!(" WITH ({})", with.join(", ")) };
        let created = server.execute(&format!("CREATE TABLESPACE {id}{owner} LOCATION {}{with};", quoted(&directory)));
        created.map_err(|why| format!("Failed to create tablespace {name} ({why})"))?;
        let comment = format!("The tablespace {name} has been created");
        return Ok(Return::changed(dict([(name, "Present".into())]), comment));
    };
    let is = |column: &str| there.get(column).map_or("", String::as_str);
    if is("location") != directory {
        let how = "This is unfixable without dropping and recreating the tablespace.";
        return Err(format!("Tablespace {name} is not at the right location. {how}").into());
    }
    let owner = owner.filter(|owner| owner != is("owner"));
    let set = is("options").trim_matches(['{', '}']).split(',').map(|option| option.trim_matches('"'));
    let set: Vec<&str> = set.collect();
    let options: Vec<_> =
        options.iter().filter(|(key, value)| !set.contains(&format!("{key}={value}").as_str())).collect();
    if owner.is_none() && options.is_empty() {
        return Ok(Return::unchanged(format!("Tablespace {name} is already present")));
    }
    let mut sql = String::new();
    let mut changes = Dict::default();
    if let Some(owner) = &owner {
        sql += &format!("ALTER TABLESPACE {id} OWNER TO {};\n", identifier(owner));
        changes.insert("owner", owner.as_str());
    }
    if !options.is_empty() {
        let set: Vec<String> = options.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        sql += &format!("ALTER TABLESPACE {id} SET ({});\n", set.join(", "));
        let options = options.iter().map(|(key, value)| (key.as_str(), Data::from(value.as_str())));
        changes.insert("options", dict(options));
    }
    let what = if options.is_empty() { "owner" } else { "options" };
    if call.preview {
        return Ok(super::would(format!("Tablespace {name} {what} to be altered")));
    }
    server
        .execute(&format!("BEGIN;\n{sql}COMMIT;"))
        .map_err(|why| format!("Failed to alter tablespace {name} ({why})"))?;
    let what = if options.is_empty() { "owner" } else { "opts" };
    let comment = format!("Tablespace {name} {what} changed");
    Ok(Return::changed(dict([(name, changes.into())]), comment))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, server) = (call.args.name()?, Server::of(call, None)?);
    if tablespace(&server, &name)?.is_none() {
        return Ok(Return::unchanged(format!("Tablespace {name} is not present, so it cannot be removed")));
    }
    if call.preview {
        return Ok(super::would(format!("Tablespace {name} is set to be removed")));
    }
    let dropped = server.execute(&format!("DROP TABLESPACE {};", identifier(&name)));
    dropped.map_err(|why| format!("Tablespace {name} failed to be removed ({why})"))?;
    let comment = format!("Tablespace {name} has been removed");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

fn options(args: &Args<'_>) -> Result<Vec<(String, String)>, Failed> {
    let given = args.get("options").and_then(Data::as_dict);
    let pair = |(key, value): (&Data, &Data)| text(key).zip(text(value));
    let pairs: Option<Vec<_>> = given.into_iter().flat_map(|given| given.entries.iter().map(pair)).collect();
    pairs.ok_or_else(|| "`options` has to be a mapping of texts".into())
}

fn tablespace(server: &Server<'_>, name: &str) -> Result<Option<Row>, Failed> {
    let query = format!(
        "SELECT r.rolname AS owner, t.spcoptions AS options, pg_tablespace_location(t.oid) AS location \
         FROM pg_tablespace t JOIN pg_roles r ON r.oid = t.spcowner WHERE t.spcname = {}",
        quoted(name)
    );
    Ok(server.rows(&query)?.into_iter().next())
}
