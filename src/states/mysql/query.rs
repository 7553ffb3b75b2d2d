//! `mysql_query.run` and `mysql_query.run_file`: SQL that an SLS brings, run every time.

use std::time::Instant;

use camino::Utf8Path;
use fs_err as fs;

use super::server::{Server, table};
use crate::formula::{Data, Dict};
use crate::states::disk::{Attributes, replace};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

/// A query for which the server answers with rows.
const QUESTIONS: [&str; 3] = ["SELECT", "SHOW", "DESC"];

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    if args.get("output").and_then(Data::as_str) == Some("grain") {
        return Err("upshift has no `output: grain`".into());
    }
    let file = args.get("query_file").and_then(Data::as_str).unwrap_or_default();
    if let Some((scheme, _)) = file.split_once("://").filter(|(scheme, _)| *scheme != "salt") {
        return Err(format!("upshift has no `query_file` of {scheme}://"));
    }
    super::check(args)
}

pub(super) fn run(call: &Call<'_>) -> Result<Return, Failed> {
    let query = call.args.required("query")?;
    let server = match ready(call, &call.args.name()?)? {
        Ready::Yes(server) => server,
        Ready::No(ret) => return Ok(ret),
    };
    let start = Instant::now();
    if QUESTIONS.iter().any(|word| query.trim().to_uppercase().starts_with(word)) {
        let (output, said) = server.say(&query, true);
        said?;
        let rows = table(&output);
        let columns = rows.first().into_iter().flat_map(|row| row.keys());
        let columns: Vec<String> = columns.map(|name| quoted(name)).collect();
        let results: Vec<String> = rows.iter().map(|row| printed(row.iter())).collect();
        let comment = format!(
            "{{{}, 'rows returned': {}, 'columns': ({}), 'results': [{}]}}",
            query_time(start),
            rows.len(),
            columns.join(", ") + if columns.len() == 1 { "," } else { "" },
            results.join(", ")
        );
        let lines: Vec<String> = rows.iter().flatten().map(|(column, value)| format!("{column}:{value}\n")).collect();
        return done(call, comment, &lines.concat());
    }
    let query = query.trim_end().trim_end_matches(';');
    let (output, said) = server.say(&format!("{query}\n;\nSELECT ROW_COUNT();"), false);
    said?;
    let affected = output.lines().last().unwrap_or("0");
    let time = query_time(start);
    let lines = format!("{}\nrows affected:{affected}\n", time.replacen("'query time': ", "query time:", 1));
    done(call, format!("{{{time}, 'rows affected': {affected}}}"), &lines)
}

pub(super) fn run_file(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, database) = (call.args.required("query_file")?, call.args.required("database")?);
    let content = match name.strip_prefix("salt://") {
        Some(path) => call.host.formula.read_file(path)?,
        None if Utf8Path::new(&name).exists() => Some(fs::read(&name)?),
        None => None,
    };
    let content = content.ok_or_else(|| format!("File {name} does not exist"))?;
    let content = String::from_utf8(content).map_err(|_| format!("File {name} is not UTF-8"))?;
    let server = match ready(call, &database)? {
        Ready::Yes(server) => server,
        Ready::No(ret) => return Ok(ret),
    };
    let start = Instant::now();
    let (output, said) = server.say(&content, true);
    said?;
    done(call, format!("{{{}}}", query_time(start)), &output)
}

/// Whether a query is to run.
enum Ready<'a> {
    Yes(Server<'a>),
    No(Return),
}

fn ready<'a>(call: &Call<'a>, missing: &str) -> Result<Ready<'a>, Failed> {
    let (server, database) = (Server::of(call)?, call.args.required("database")?);
    if call.args.flag("check_db_exists", true) && server.database(&database)?.is_none() {
        return Ok(Ready::No(Return::would(Dict::default(), format!("Database {missing} is not present"))));
    }
    let output = call.args.text("output")?;
    if let Some(file) = output.as_ref().filter(|file| Utf8Path::new(file).is_file())
        && !call.args.flag("overwrite", true)
    {
        return Ok(Ready::No(Return::unchanged(format!("No execution needed. File {file} already set"))));
    }
    if call.preview {
        let comment = match output {
            Some(file) => format!("Query would execute, storing result in file: {file}"),
            None => "Query would execute, not storing result".to_owned(),
        };
        return Ok(Ready::No(Return::would(Dict::default(), comment)));
    }
    Ok(Ready::Yes(server.with_database(&database)))
}

fn done(call: &Call<'_>, comment: String, lines: &str) -> Result<Return, Failed> {
    let Some(file) = call.args.text("output")? else {
        return Ok(Return::changed(dict([("query", "Executed".into())]), comment));
    };
    let changes = dict([("query", format!("Executed. Output into {file}").into())]);
    let written = replace(Utf8Path::new(&file), lines.as_bytes(), Attributes::default());
    match written {
        Ok(()) => Ok(Return::changed(changes, comment)),
        Err(error) => Err(Failed::from(error).after(changes)),
    }
}

/// How long it took, in Salt's words.
fn query_time(start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    let human = if seconds < 0.2 { format!("{:.1}ms", seconds * 1000.0) } else { format!("{seconds:.2}s") };
    format!("'query time': {{'human': '{human}', 'raw': '{seconds:.5}'}}")
}

/// A row as Python prints a mapping.
fn printed<'a>(row: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let entries: Vec<String> = row.map(|(column, value)| format!("{}: {}", quoted(column), quoted(value))).collect();
    format!("{{{}}}", entries.join(", "))
}

fn quoted(text: &str) -> String {
    crate::formula::template::value::repr(&text.into())
}
