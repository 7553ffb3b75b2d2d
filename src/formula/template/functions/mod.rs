//! Salt's execution functions, as templates call them: `salt['pillar.get'](…)`, `salt.pillar.get(…)`.
//!
//! What can be answered from pillar, grains, the formula files and the arguments is answered here, one file a Salt
//! module. What only the host knows goes through [`Facts`](crate::formula::facts::Facts).

pub(in crate::formula) mod arguments;
mod config;
mod defaults;
mod files;
mod filter_by;
mod grains;
mod hashing;
mod host;
mod json;
mod logging;
mod matching;
mod mersenne;
pub(in crate::formula) mod network;
pub(in crate::formula) mod package_versions;
mod paths;
mod pillar;
mod random;
mod rendering;
mod serializers;
mod slsutil;
mod testing;
mod traverse;

use std::collections::HashMap;
use std::sync::LazyLock;

use minijinja::{Error, ErrorKind, State, Value};

use super::Context;
use arguments::{Arguments, Signature};

pub(super) use json::{Json, json_text};
pub(super) use mersenne::Mersenne;
pub(super) use traverse::traverse;

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
    /// As [`Plain`](Self::Plain), unless the facts have an answer: no two calls are alike.
    Unpredictable(fn(&Context, &Arguments) -> Result<Value, Error>),
    /// By rendering a template or calling another function.
    Rendering(fn(&Context, &mut State<'_, '_>, &Arguments) -> Result<Value, Error>),
}

const fn plain(
    name: &'static str,
    signature: Signature,
    run: fn(&Context, &Arguments) -> Result<Value, Error>,
) -> Function {
    Function { name, signature, run: Run::Plain(run) }
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
        testing::FUNCTIONS,
    ];
    modules.into_iter().flatten().map(|function| (function.name, function)).collect()
});

/// Whether upshift has a function, its own or one that a host can answer.
pub fn is_known(name: &str) -> bool {
    FUNCTIONS.contains_key(name) || host::is_known(name)
}

/// Calls a function with positional arguments, and keyword arguments as minijinja passes them (last).
pub(super) fn call(context: &Context, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
    let Some(function) = FUNCTIONS.get(name) else { return host::ask(context, name, args) };
    let own_name = name.rsplit('.').next().unwrap_or(name);
    let arguments = Arguments::bind(function.signature, own_name, args)?;
    match function.run {
        Run::Plain(run) => run(context, &arguments),
        Run::Unpredictable(run) => match host::recorded(context, name, args)? {
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
