//! `module.*`: execution functions, called as states.
//!
//! Which ones there are is known before anything runs: a function that upshift does not have is refused then.

mod arguments;
mod dns;
mod files;
mod functions;
mod programs;
mod salt;
mod services;

use crate::formula::template::value::{from_data, text};
use crate::formula::{Data, Dict};
use crate::states::{Args, Call, Failed, Function, Return};

const WAIT: Function = Function::new("module.wait", |_| Ok(Return::unchanged("")));
const RUN: Function = Function::new("module.run", run).takes_anything().checks(check).watches(run);

pub(super) const FUNCTIONS: &[Function] = &[
    RUN,
    WAIT.takes_anything().checks(check).watches(run),
    Function { name: "module.watch", ..WAIT }.takes_anything().checks(check).watches(run),
];

/// The functions that a state calls.
enum Asked {
    /// One, named by the state, with the other arguments of the state as its own.
    Named(String, Dict),
    /// Several, each with a list of arguments.
    Listed(Vec<(String, Data)>),
}

impl Asked {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let others = args.others(&RUN);
        let is_listed = |key: &Data| key.as_str().is_some_and(|key| key.contains('.'));
        if others.entries.is_empty() || !others.entries.keys().all(is_listed) {
            return Ok(Self::Named(args.name()?, others));
        }
        let listed = others.entries.into_iter();
        Ok(Self::Listed(listed.map(|(key, given)| (text(&from_data(&key)), given)).collect()))
    }
}

/// The function behind a name: `cmd.run:again` is a second call of `cmd.run`.
fn base(name: &str) -> &str {
    name.split(':').next().unwrap_or_default()
}

fn check(args: &Args<'_>) -> Result<(), String> {
    match Asked::read(args).map_err(|failed| failed.comment)? {
        Asked::Named(name, _) => functions::check(&name),
        Asked::Listed(listed) => listed.iter().try_for_each(|(name, given)| match given {
            Data::None | Data::List(_) => functions::check(base(name)),
            _ => Err(format!("the arguments of `{name}` have to be a list")),
        }),
    }
}

fn run(call: &Call<'_>) -> Result<Return, Failed> {
    match Asked::read(&call.args)? {
        Asked::Named(name, given) => run_named(call, &name, given),
        Asked::Listed(listed) => run_listed(call, &listed),
    }
}

fn run_named(call: &Call<'_>, name: &str, given: Dict) -> Result<Return, Failed> {
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Module function {name} is set to execute")));
    }
    let answer = functions::call_named(call.host, name, given)?.map_err(|failed| Failed {
        comment: format!("Module function {name} threw an exception. Exception: {}", failed.comment),
        changes: failed.changes,
    })?;
    let result = Some(is_success(&answer));
    let mut changes = Dict::default();
    changes.insert("ret", answer);
    Ok(Return { result, changes, comment: format!("Module function {name} executed") })
}

#[expect(clippy::unnecessary_wraps, reason = "what a function gives")]
fn run_listed(call: &Call<'_>, listed: &[(String, Data)]) -> Result<Return, Failed> {
    if call.preview {
        let names: Vec<&str> = listed.iter().map(|(name, _)| base(name)).collect();
        let comment =
            format!("Function{} {} to be executed.", if names.len() > 1 { "True" } else { "" }, names.join(", "));
        return Ok(Return::would(Dict::default(), comment));
    }
    let (mut failures, mut successes) = (Vec::new(), Vec::new());
    let mut changes = Dict::default();
    for (name, given) in listed {
        let given = given.as_list().unwrap_or_default();
        let answer = match functions::call_listed(call.host, base(name), given) {
            Ok(answer) => answer,
            Err(failed) => {
                changes.entries.extend(failed.changes.entries);
                failures.push(format!("'{name}' failed: {}", failed.comment));
                continue;
            }
        };
        let comment =
            |otherwise: &str| answer.get("comment").map_or_else(|| otherwise.to_owned(), |said| text(&from_data(said)));
        match (&answer, is_success(&answer)) {
            (Data::Dict(_), false) => failures.push(format!("'{name}' failed: {}", comment("(error message N/A)"))),
            (_, false) => failures.push(format!("'{name}': False")),
            (Data::Dict(_), true) => successes.push(format!("{name}: {}", comment("Success"))),
            (answer, true) => successes.push(format!("{name}: {}", text(&from_data(answer)))),
        }
        if is_success(&answer) {
            changes.insert(name.as_str(), answer);
        }
    }
    let result = Some(failures.is_empty());
    failures.append(&mut successes);
    Ok(Return { result, changes, comment: failures.join(", ") })
}

/// Whether an answer says that all went well: it is not `False`, and nothing in it is a `result` that is or a `retcode`
/// other than 0.
fn is_success(answer: &Data) -> bool {
    match answer {
        Data::Bool(answer) => *answer,
        Data::Dict(entries) => entries.entries.iter().all(|(key, value)| match (key.as_str(), value) {
            (Some("result"), Data::Bool(false)) => false,
            (Some("retcode"), value) => *value == Data::Int(0),
            (_, Data::Dict(_)) => is_success(value),
            _ => true,
        }),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::returns::dict;

    #[test]
    fn a_return_code_anywhere_in_an_answer_is_a_failure() {
        let code = |code: i64| Data::from(dict([("retcode", Data::from(code))]));
        assert!(is_success(&Data::None) && is_success(&"".into()) && is_success(&code(0)));
        assert!(!is_success(&code(2)) && !is_success(&false.into()));
        assert!(!is_success(&dict([("inner", code(1))]).into()));
    }

    #[test]
    fn a_function_that_is_not_there_is_refused_before_anything_runs() {
        let chunk = |entries: &[(&str, Data)]| dict(entries.iter().cloned());
        let named = chunk(&[("name", "service.restart".into()), ("m_name", "nginx".into())]);
        assert_eq!(check(&Args::new(&named)), Ok(()));
        let listed = chunk(&[("name", "id".into()), ("maas.deploy", Data::None)]);
        let error = check(&Args::new(&listed)).unwrap_err();
        assert!(error.contains("`maas.deploy`"), "{error}");
        assert!(check(&Args::new(&chunk(&[("name", "system.reboot".into())]))).is_err());
    }
}
