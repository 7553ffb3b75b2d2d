//! The execution functions there are: those that change something, and those that formulas ask too.

use crate::formula::facts::{self, HOST_FUNCTIONS, Refusal};
use crate::formula::{Data, Dict};
use crate::states::module::arguments::{Signature, called};
use crate::states::module::{dns, files, programs, salt, services};
use crate::states::{Args, Failed, Host};

/// An execution function.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) signature: Signature,
    pub(super) run: fn(&Host<'_>, &Args<'_>) -> Result<Data, Failed>,
}

pub(super) const fn function(
    name: &'static str,
    signature: Signature,
    run: fn(&Host<'_>, &Args<'_>) -> Result<Data, Failed>,
) -> Function {
    Function { name, signature, run }
}

const MODULES: &[&[Function]] =
    &[dns::FUNCTIONS, files::FUNCTIONS, programs::FUNCTIONS, salt::FUNCTIONS, services::FUNCTIONS];

/// Functions that upshift will not have, by how their names begin, and what there is instead.
const INSTEAD: &[(&str, &str)] = &[
    ("state.", "a formula includes other SLS instead"),
    ("system.", "a step `reboot` of the pipeline does that, and waits until the host is back"),
    ("mysql.", "the states `mysql_database`, `mysql_user` and `mysql_query` do that"),
    ("postgres.", "the states `postgres_database` and `postgres_user` do that"),
    ("event.", "there is no Salt master to hear it"),
    ("publish.", "there is no Salt master to ask other hosts"),
];

/// Says before anything runs whether there is such a function.
pub(super) fn check(name: &str) -> Result<(), String> {
    if find(name).is_some() || HOST_FUNCTIONS.contains(&name) {
        return Ok(());
    }
    let why = INSTEAD.iter().find(|(begin, _)| name.starts_with(begin));
    let why = why.map_or_else(String::new, |(_, instead)| format!(": {instead}"));
    Err(format!("upshift does not have the execution function `{name}`{why}"))
}

/// Calls a function with the arguments of a state. The outer error is about them, the inner one the function's own.
pub(super) fn call_named(host: &Host<'_>, name: &str, given: Dict) -> Result<Result<Data, Failed>, Failed> {
    let Some(function) = find(name) else {
        let mut named = given;
        if let Some(Data::Dict(more)) = named.remove("kwargs") {
            named.entries.extend(more.entries.clone());
        }
        let own = |key: &str| ["name", "names"].into_iter().find(|name| called(name) == key).unwrap_or(key).to_owned();
        let named = named.entries.into_iter().filter_map(|(key, value)| Some((own(key.as_str()?), value)));
        return Ok(look(host, name, Vec::new(), named.collect()));
    };
    let bound = function.signature.bind_named(given)?;
    Ok((function.run)(host, &Args::new(&bound)))
}

/// Calls a function with a list of arguments.
pub(super) fn call_listed(host: &Host<'_>, name: &str, given: &[Data]) -> Result<Data, Failed> {
    let Some(function) = find(name) else {
        let (named, args): (Vec<&Data>, Vec<&Data>) = given.iter().partition(|value| value.as_dict().is_some());
        let named = named.into_iter().filter_map(Data::as_dict).flat_map(|named| named.entries.iter());
        let named = named.filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone())));
        return look(host, name, args.into_iter().cloned().collect(), named.collect());
    };
    let bound = function.signature.bind_listed(given)?;
    (function.run)(host, &Args::new(&bound))
}

fn find(name: &str) -> Option<&'static Function> {
    MODULES.iter().copied().flatten().find(|function| function.name == name)
}

/// Asks what a formula could ask while it is rendered.
fn look(host: &Host<'_>, name: &str, args: Vec<Data>, kwargs: Vec<(String, Data)>) -> Result<Data, Failed> {
    let call = facts::Call { function: name.to_owned(), args, kwargs };
    host.formula.facts().answer(&call).map_err(|refusal| match refusal {
        Refusal::Failed(why) => why.into(),
        Refusal::Unknown | Refusal::NotRecorded => {
            format!("upshift does not have the execution function `{name}`").into()
        }
    })
}
