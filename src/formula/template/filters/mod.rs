//! Filters: Jinja's own with Python's results, and Salt's.
//!
//! Every filter that a template sees under Salt is here, bound to its arguments as Python would. Those that need the
//! network, or what no function answers about a host, are refused by name.

mod applied;
pub(super) mod arguments;
mod attribute;
mod combine;
mod generator;
mod group;
mod hashes;
mod host;
mod html;
mod json;
mod network;
mod numbers;
mod pretty;
mod query;
mod random;
mod regex;
mod sequences;
mod set;
mod sets;
mod text;
mod time;
mod tree;
mod wrap;
mod xml;
mod yaml;

pub(super) use generator::is_generator;
pub(super) use hashes::hexadecimal;
pub(super) use host::add as add_host;
pub(super) use random::chance;
pub(super) use regex::matches;
pub(super) use sets::{contains, items_can_be_had};

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, State, Value};

use arguments::Args;

/// Adds every filter. Those that ask a host are errors until [`add_host`] adds them.
pub(super) fn add(env: &mut Environment<'_>) {
    let groups = [
        combine::FILTERS,
        hashes::FILTERS,
        html::FILTERS,
        json::FILTERS,
        network::FILTERS,
        numbers::FILTERS,
        pretty::FILTERS,
        query::FILTERS,
        random::FILTERS,
        regex::FILTERS,
        sequences::FILTERS,
        sets::FILTERS,
        text::FILTERS,
        time::FILTERS,
        tree::FILTERS,
        wrap::FILTERS,
        xml::FILTERS,
        yaml::FILTERS,
    ];
    for (name, parameters, run) in groups.into_iter().flatten().copied() {
        env.add_filter(name, move |args: Rest<ValueOrKwargs>| run(&Args::bind(name, parameters, &values(args))?));
    }
    for (name, parameters, run) in applied::FILTERS.iter().chain(attribute::FILTERS).copied() {
        env.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
            run(state, &Args::bind(name, parameters, &values(args))?)
        });
    }
    host::add_names(env);
}

/// What a template prints, for tests.
#[cfg(test)]
pub(super) fn shown(source: &str) -> Result<String, minijinja::Error> {
    use super::value::printed;

    let mut env = Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_formatter(|out, _, value| {
        if value.is_undefined() {
            return Err(minijinja::Error::from(minijinja::ErrorKind::UndefinedError));
        }
        out.write_str(&printed(value)).map_err(minijinja::Error::from)
    });
    add(&mut env);
    super::tests::add(&mut env);
    super::globals::add(&mut env);
    super::operators::add(&mut env);
    env.set_unknown_method_callback(super::strings::method);
    let source = super::engine::translated(source, super::syntax::Options::default());
    let wrong = |error: super::syntax::Error| minijinja::Error::new(minijinja::ErrorKind::SyntaxError, error.message);
    env.render_str(&source.map_err(wrong)?, ())
}

/// Compares what templates print with what they print under Salt; `None` is an error there, too.
#[cfg(test)]
pub(super) fn assert_shown(expected: &[(&str, Option<&str>)]) {
    for (source, expected) in expected {
        assert_eq!(shown(source).ok().as_deref(), *expected, "{source}");
    }
}

/// All arguments of a call, the keyword arguments last.
pub(super) fn values(args: Rest<ValueOrKwargs>) -> Vec<Value> {
    args.0.into_iter().map(ValueOrKwargs::into_value).collect()
}
