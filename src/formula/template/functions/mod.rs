//! Salt's execution functions, as templates call them: `salt['pillar.get'](…)`, `salt.pillar.get(…)`.
//!
//! What can be answered from pillar, grains, the formula files and the arguments is answered here, one file a Salt
//! module. What only the host knows goes through [`Facts`](crate::formula::facts::Facts).

pub(in crate::formula) mod arguments;
mod config;
mod defaults;
pub mod dns;
mod files;
mod filter_by;
mod grains;
pub mod hashing;
mod host;
pub(super) mod json;
mod logging;
mod matching;
pub(super) mod mersenne;
pub(in crate::formula) mod network;
pub(in crate::formula) mod package_versions;
mod paths;
mod pillar;
mod random;
mod rendering;
pub(in crate::formula) mod serializers;
mod slsutil;
mod testing;
pub(super) mod traverse;

use std::collections::HashMap;
use std::sync::LazyLock;

use minijinja::{Error, ErrorKind, State, Value};

use super::Context;
use arguments::{Arguments, Signature};

/// A function of Salt's that is answered here.
struct Function {
    /// `module.function`.
    name: &'static str,
    signature: Signature,
    run: Run,
}

/// How a function gets its answer.
enum Run {
    /// From what the host's templates see and the arguments.
    Plain(fn(&Context, &Arguments) -> Result<Value, Error>),
    /// As [`Plain`](Self::Plain), unless the facts have an answer: what chance or another tool decides can be recorded.
    Recordable(fn(&Context, &Arguments) -> Result<Value, Error>),
    /// By rendering a template.
    Rendering(fn(&Context, &mut State<'_, '_>, &Arguments) -> Result<Value, Error>),
}

const fn plain(
    name: &'static str,
    signature: Signature,
    run: fn(&Context, &Arguments) -> Result<Value, Error>,
) -> Function {
    Function { name, signature, run: Run::Plain(run) }
}

const fn recordable(
    name: &'static str,
    signature: Signature,
    run: fn(&Context, &Arguments) -> Result<Value, Error>,
) -> Function {
    Function { name, signature, run: Run::Recordable(run) }
}

static FUNCTIONS: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let modules = [
        pillar::FUNCTIONS,
        grains::FUNCTIONS,
        config::FUNCTIONS,
        defaults::FUNCTIONS,
        slsutil::FUNCTIONS,
        serializers::FUNCTIONS,
        rendering::FUNCTIONS,
        files::FUNCTIONS,
        paths::FUNCTIONS,
        matching::FUNCTIONS,
        hashing::FUNCTIONS,
        random::FUNCTIONS,
        package_versions::FUNCTIONS,
        network::FUNCTIONS,
        logging::FUNCTIONS,
        dns::FUNCTIONS,
        testing::FUNCTIONS,
    ];
    modules.into_iter().flatten().map(|function| (function.name, function)).collect()
});

/// Whether upshift has a function, its own or one that a host can answer.
pub fn is_known(name: &str) -> bool {
    FUNCTIONS.contains_key(name) || host::is_known(name)
}

/// Whether upshift answers a function, and not only knows of it.
pub fn is_answered(name: &str) -> bool {
    FUNCTIONS.contains_key(name) || host::names().any(|answered| answered == name)
}

/// Calls a function with positional arguments, and keyword arguments as minijinja passes them (last).
pub(super) fn call(context: &Context, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
    let Some(function) = FUNCTIONS.get(name) else { return host::ask(context, name, args) };
    let own_name = name.rsplit('.').next().unwrap_or(name);
    let arguments = Arguments::bind(function.signature, own_name, args)?;
    match function.run {
        Run::Plain(run) => run(context, &arguments),
        Run::Recordable(run) => match host::recorded(context, name, args)? {
            Some(answer) => Ok(answer),
            None => run(context, &arguments),
        },
        Run::Rendering(run) => run(context, state, &arguments),
    }
}

/// The error for a function that nobody has, with the names nearest to it.
fn unknown(context: &Context, name: &str) -> Error {
    if let Some(path) = files::custom_module(context, name) {
        let message = format!("`{name}` comes from `{path}`, a module in Python, which needs Salt itself");
        return Error::new(ErrorKind::UnknownFunction, message);
    }
    Error::new(ErrorKind::UnknownFunction, format!("upshift does not have the function `{name}`{}", nearest(name)))
}

/// The end of an error about a function: the names nearest to it.
fn nearest(name: &str) -> String {
    let known = FUNCTIONS.keys().copied().chain(host::names());
    let mut known: Vec<(f64, &str)> = known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .collect();
    known.sort_by(|one, two| two.0.total_cmp(&one.0).then(one.1.cmp(two.1)));
    let nearest: Vec<String> = known.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) }
}

/// Whether upshift has any function of a module.
pub fn is_module(name: &str) -> bool {
    let is_in = |known: &str| known.split('.').next() == Some(name);
    FUNCTIONS.keys().any(|known| is_in(known)) || host::names().any(is_in)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use minijinja::Environment;
    use minijinja::value::Kwargs;

    use super::super::value::{from_data, repr};
    use super::*;
    use crate::formula::Data;
    use crate::formula::facts::Recorded;
    use crate::formula::roots::{Memory, Roots};

    fn value(json: &str) -> Value {
        from_data(&Data::from(serde_json::from_str::<serde_json::Value>(json).unwrap()))
    }

    fn context() -> Context {
        let files = [("_modules/own.py".to_owned(), Vec::new()), ("a/init.sls".to_owned(), Vec::new())];
        let record = r#"[{"function": "cmd.run", "args": ["id -un"], "answer": "root"}]"#;
        let record = Data::from(serde_json::from_str::<serde_json::Value>(record).unwrap());
        Context {
            pillar: value(r#"{"a": {"b": [1, {"c": "d"}]}, "roles": ["web"]}"#),
            grains: value(r#"{"id": "n1", "os_family": "Debian"}"#),
            opts: value(r#"{"file_client": "local"}"#),
            roots: Roots(vec![Arc::new(Memory(files.into()))]),
            facts: Arc::new(Recorded::from_data(&record).unwrap()),
            python2: false,
        }
    }

    /// What a call in the words of JSON answers: positional arguments, then named ones.
    fn ask(context: &Context, name: &str, args: &str, named: &str) -> Result<String, String> {
        let mut args = super::super::value::items(&value(args)).unwrap();
        let named = super::super::value::entries(&value(named));
        if !named.is_empty() {
            let named: Kwargs = named.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
            args.push(named.into());
        }
        let env = Environment::new();
        let answer = call(context, &mut env.empty_state(), name, &args);
        answer.map(|answer| repr(&answer)).map_err(|error| error.detail().unwrap_or_default().to_owned())
    }

    #[test]
    fn functions_answer_as_salts_do() {
        for (name, args, named, wanted) in [
            ("pillar.get", r#"["a:b:1:c"]"#, "{}", "'d'"),
            ("pillar.get", r#"["a:b:c"]"#, "{}", "'d'"),
            ("pillar.get", r#"["a:x", "none"]"#, "{}", "'none'"),
            ("pillar.get", r#"["a", {"b": [0], "x": 1}]"#, r#"{"merge": true}"#, "{'b': [1, {'c': 'd'}], 'x': 1}"),
            ("grains.filter_by", r#"[{"D*": {"a": 1}, "default": 2}]"#, r#"{"merge": {"b": 3}}"#, "{'a': 1, 'b': 3}"),
            ("config.get", r#"["os_family"]"#, "{}", "'Debian'"),
            ("defaults.merge", r#"[{"a": {"x": 1}}, {"a": {"y": 2}}]"#, "{}", "{'a': {'x': 1, 'y': 2}}"),
            ("slsutil.serialize", r#"["json", {"b": [1, null]}]"#, "{}", "'{\"b\": [1, null]}'"),
            ("random.seed", "[60]", r#"{"hash": "node01.local"}"#, "15"),
            ("cp.list_states", "[]", "{}", "['a']"),
            ("match.compound", r#"["G@os_family:Debian and n*"]"#, "{}", "True"),
            ("cmd.run", r#"["id -un"]"#, "{}", "'root'"),
        ] {
            assert_eq!(ask(&context(), name, args, named), Ok(wanted.to_owned()), "{name} {args}");
        }
    }

    #[test]
    fn what_nobody_answers_is_named() {
        for (name, wanted) in [
            (
                "grains.filter_bye",
                "upshift does not have the function `grains.filter_bye`; nearest: `grains.filter_by`",
            ),
            ("own.thing", "`own.thing` comes from `_modules/own.py`, a module in Python, which needs Salt itself"),
            (
                "cmd.run",
                "no answer to `cmd.run()` is recorded; record it as {\"function\":\"cmd.run\",\"answer\":\"...\"}",
            ),
        ] {
            let error = ask(&context(), name, "[]", "{}").unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        }
    }

    #[test]
    fn an_answer_is_the_pillar_itself() {
        let context = context();
        let roles = ask(&context, "pillar.get", r#"["roles"]"#, "{}").unwrap();
        let env = Environment::new();
        let living = call(&context, &mut env.empty_state(), "pillar.get", &[Value::from("roles")]).unwrap();
        super::super::value::as_list(&living).unwrap().push(Value::from("db"));
        assert_eq!(roles, "['web']");
        assert_eq!(ask(&context, "pillar.get", r#"["roles"]"#, "{}").unwrap(), "['web', 'db']");
    }
}
