//! The table of a `backup` or `restore` step: an engine, and the keys that it takes.

use crate::config::table::{Keys, Table, Value};
use crate::config::template::is_template;
use crate::error::Result;
use crate::model::backup::{Data, Test, is_name};
use crate::model::{Backup, Text};

/// The keys of a table: those that both kinds have, in the order in which people read them, and one more.
macro_rules! keys {
    ($own:literal) => {
        &[
            "engine",
            "databases",
            "options",
            "method",
            "service",
            "config",
            "data",
            "paths",
            "save",
            "load",
            "name",
            "folder",
            "to",
            $own,
        ]
    };
}

static BACKUP: Keys = Keys { owner: "A backup", names: keys!("restore-test"), elsewhere: ELSEWHERE };

static RESTORE: Keys = Keys { owner: "A restore", names: keys!("run"), elsewhere: ELSEWHERE };

const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &["timeout", "retries", "retry-delay", "takes", "on", "undo", "always", "unless", "env"],
        "`{}` belongs to the step itself, beside its kind",
    ),
    (
        &["user", "password"],
        "credentials stand on the host: in the client's own option files, or the one that `options` names",
    ),
];

/// The engines, and the keys of each; the first `usize` of them it has to have.
const ENGINES: [(&str, usize, &[&str]); 6] = [
    ("mariadb", 0, &["databases", "options", "method", "service"]),
    ("postgres", 0, &["databases"]),
    ("zookeeper", 0, &["config", "service"]),
    ("etcd", 0, &["data", "service"]),
    ("files", 1, &["paths"]),
    ("command", 2, &["save", "load"]),
];

/// Keys of any engine.
const COMMON: [&str; 6] = ["engine", "name", "folder", "to", "restore-test", "run"];

/// Reads what a backup keeps.
pub(super) fn backup(value: Value<'_>) -> Result<Backup<Text>> {
    let table = table(value, &BACKUP)?;
    let backup = of(&table)?;
    let test = table.read("restore-test", test)?.flatten();
    let can_test = matches!(backup.data, Data::Mariadb { .. } | Data::Postgres { .. } | Data::Etcd { .. });
    if test.is_some() && !can_test {
        let message = format!("upshift has no scratch server to try a backup of `{}` on", backup.data.engine());
        return Err(table
            .key_error("restore-test", message)
            .hint("`restore-test` goes with mariadb, postgres and etcd"));
    }
    Ok(Backup { test, ..backup })
}

/// Reads what is restored.
pub(super) fn restore(value: Value<'_>) -> Result<Backup<Text>> {
    let table = table(value, &RESTORE)?;
    Ok(Backup { run: table.read("run", safe_name)?, ..of(&table)? })
}

/// Where it is tried: `true`, or the host that it is tried on.
fn test(value: Value<'_>) -> Result<Option<Test<Text>>> {
    if value.inner.as_str().is_some() {
        return value.template().map(|on| Some(Test::On(on)));
    }
    let wanted = |_| value.wanted("`true`, or a selector for another host such as `\"dbs[3]\"`");
    value.flag().map(|is_here| is_here.then_some(Test::Here)).map_err(wanted)
}

fn table<'s>(value: Value<'s>, keys: &'static Keys) -> Result<Table<'s>> {
    if !value.inner.is_table() {
        return Err(value.wanted("a table").hint(format!("for example: `{} = {{ engine = \"mariadb\" }}`", value.key)));
    }
    value.table(keys)
}

/// What a backup and its restore have in common.
fn of(table: &Table<'_>) -> Result<Backup<Text>> {
    let engines = ENGINES.map(|engine| (engine.0, engine));
    let (engine, needed, takes) = table.need("engine", "\"mariadb\"")?.choice(&engines)?;
    if let Some(key) = table.given().find(|key| !COMMON.contains(key) && !takes.contains(key)) {
        let error = table.key_error(key, format!("the engine `{engine}` has no use for `{key}`"));
        return Err(error.hint(format!("it takes: {}", takes.join(", "))));
    }
    if let Some(missing) = takes.iter().take(needed).find(|key| !table.given().any(|given| given == **key)) {
        return Err(table.error(format!("the engine `{engine}` needs `{missing}`")).hint(match *missing {
            "paths" => "`paths = [\"/etc/nova\"]`",
            "save" => "`save` is a command that writes the backup to its stdout",
            _ => "`load` is a command that reads the backup from its stdin",
        }));
    }
    Ok(Backup {
        name: table.read("name", safe_name)?.unwrap_or_else(|| engine.to_owned()),
        folder: table.read("folder", path)?,
        run: None,
        to: table.read("to", Value::template)?,
        of: None,
        data: data(engine, table)?,
        test: None,
    })
}

fn data(engine: &str, table: &Table<'_>) -> Result<Data<Text>> {
    Ok(match engine {
        "mariadb" => {
            let methods = [("dump", false), ("physical", true)];
            let physical = table.read("method", |value| value.choice(&methods))?.unwrap_or_default();
            if let Some(key) = table.given().find(|key| physical && *key == "databases") {
                let message = "the method `physical` keeps the whole server, not some databases";
                return Err(table.key_error(key, message).hint("`method = \"dump\"` takes `databases`"));
            }
            if let Some(key) = table.given().find(|key| !physical && *key == "service") {
                let message = "a dump is put back while the service is going: there is no use for `service`";
                return Err(table.key_error(key, message).hint("`method = \"physical\"` stops it"));
            }
            Data::Mariadb {
                databases: table.read("databases", |value| some(value, Value::template))?.unwrap_or_default(),
                options: table.read("options", path)?,
                physical,
                service: table.read("service", Value::template)?,
            }
        }
        "zookeeper" => {
            Data::Zookeeper { config: table.read("config", path)?, service: table.read("service", Value::template)? }
        }
        "etcd" => Data::Etcd { data: table.read("data", path)?, service: table.read("service", Value::template)? },
        "postgres" => Data::Postgres {
            databases: table.read("databases", |value| some(value, Value::template))?.unwrap_or_default(),
        },
        "files" => Data::Files { paths: some(table.need("paths", "[\"/etc/nova\"]")?, path)? },
        _ => Data::Command {
            save: table.need("save", "\"etcdctl snapshot save /dev/stdout\"")?.template()?,
            load: table.need("load", "\"cat >snapshot\"")?.template()?,
        },
    })
}

/// A list with something in it.
fn some<'s>(value: Value<'s>, read: impl Fn(Value<'s>) -> Result<Text>) -> Result<Vec<Text>> {
    let items = value.list("[\"nova\"]")?.map(read).collect::<Result<Vec<_>>>()?;
    if items.is_empty() { Err(value.error("wanted at least one, found an empty list")) } else { Ok(items) }
}

fn path(value: Value<'_>) -> Result<Text> {
    let text = value.template()?;
    if !is_template(&text.source) && !text.source.starts_with('/') {
        return Err(value.wanted("an absolute path"));
    }
    Ok(text)
}

fn safe_name(value: Value<'_>) -> Result<String> {
    let text = value.line()?;
    if !is_name(&text) {
        return Err(value.wanted("a name of letters, digits, `.`, `-` and `_`"));
    }
    Ok(text)
}
