//! `test.*`: what answers without asking anything.

use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::{dict, list, repr, text};
use super::arguments::Default::{None, Required, Text};
use super::arguments::{Arguments, Signature, defined, takes, wrong};
use super::traverse::get as entry;
use super::{Function, host, plain, recordable};

const ANYTHING: Signature = takes(&[]).and_more().and_more_named();

pub(super) const FUNCTIONS: &[Function] = &[
    plain("test.echo", takes(&[("text", Required)]), |_, arguments| Ok(arguments.get("text").clone())),
    plain("test.outputter", takes(&[("data", Required)]), |_, arguments| Ok(arguments.get("data").clone())),
    plain("test.ping", takes(&[]), |_, _| Ok(Value::from(true))),
    plain("test.true", takes(&[]), |_, _| Ok(Value::from(true))),
    plain("test.false", takes(&[]), |_, _| Ok(Value::from(false))),
    plain("test.exception", takes(&[("message", Text("Test Exception"))]), |_, arguments| {
        Err(wrong(arguments.text("message")?))
    }),
    plain("test.assertion", takes(&[("assertion", Required)]), |_, arguments| {
        if arguments.is_true("assertion")? { Ok(Value::from(())) } else { Err(wrong("AssertionError")) }
    }),
    plain("test.raise_exception", takes(&[("name", Required)]).and_more().and_more_named(), |_, arguments| {
        let message: Vec<String> = arguments.more.iter().map(text).collect();
        Err(wrong(format!("{}: {}", arguments.text("name")?, message.join(", "))))
    }),
    plain("test.arg", ANYTHING, |_, arguments| Ok(given(tuple(&arguments.more), named(arguments, |_| true)))),
    plain("test.arg_clean", ANYTHING, |_, arguments| {
        Ok(given(tuple(&arguments.more), named(arguments, |name| !name.starts_with("__"))))
    }),
    plain("test.kwarg", takes(&[]).and_more_named(), |_, arguments| Ok(named(arguments, |_| true))),
    plain("test.arg_repr", ANYTHING, |_, arguments| {
        let (args, kwargs) = (repr(&tuple(&arguments.more)), repr(&named(arguments, |_| true)));
        Ok(given(Value::from(args), Value::from(kwargs)))
    }),
    plain("test.version", takes(&[]), |context, _| {
        let version = entry(&context.grains, &Value::from("saltversion"));
        Ok(version.unwrap_or(Value::from("3007")))
    }),
    plain("test.get_opts", takes(&[]), |context, _| Ok(context.opts.clone())),
    plain("test.conf_test", takes(&[]), |context, _| {
        let places = [&context.opts, &context.grains, &context.pillar];
        let found = places.into_iter().find_map(|place| entry(place, &Value::from("test.foo")));
        Ok(found.unwrap_or(Value::from("unconfigured")))
    }),
    plain("test.retcode", takes(&[("code", None)]), |_, _| Ok(Value::from(true))),
    recordable("test.provider", takes(&[("module", Required)]), provider),
    plain("sys.list_functions", takes(&[]).and_more(), |_, arguments| {
        let wanted: Vec<String> = arguments.more.iter().map(text).collect();
        let names = super::FUNCTIONS.keys().copied().chain(host::names());
        let is_wanted = |name: &str| {
            let module = name.split('.').next().unwrap_or_default();
            wanted.is_empty() || wanted.iter().any(|wanted| wanted == module || wanted == name)
        };
        let mut names: Vec<&str> = names.filter(|name| is_wanted(name)).collect();
        names.sort_unstable();
        Ok(list(names.into_iter().map(Value::from).collect()))
    }),
];

fn tuple(items: &[Value]) -> Value {
    minijinja::value::Tuple::from(items).into()
}

fn named(arguments: &Arguments, is_wanted: impl Fn(&str) -> bool) -> Value {
    let named = arguments.more_named.iter().filter(|(name, _)| is_wanted(name));
    dict(named.map(|(name, value)| (Value::from(name.as_str()), value.clone())))
}

fn given(args: Value, kwargs: Value) -> Value {
    dict([(Value::from("args"), args), (Value::from("kwargs"), kwargs)])
}

/// The file of Salt's that has a module, as far as it depends on the operating system; nothing for an unknown module.
fn provider(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let module = text(defined(arguments.get("module"))?);
    let grain = |name: &str| entry(&context.grains, &Value::from(name)).map(|value| text(&value)).unwrap_or_default();
    let family = grain("os_family");
    let provider = match (module.as_str(), family.as_str()) {
        ("pkg", "Debian") => "aptpkg",
        ("pkg", "RedHat") => "yumpkg",
        ("pkg", "Suse") => "zypperpkg",
        ("pkg", "Arch") => "pacmanpkg",
        ("pkg", "Alpine") => "apkpkg",
        ("pkg", "Gentoo") => "ebuildpkg",
        ("pkg", "FreeBSD") => "pkgng",
        ("lowpkg", "Debian") => "dpkg_lowpkg",
        ("lowpkg", "RedHat" | "Suse") => "rpm_lowpkg",
        ("service", _) if grain("init") == "systemd" => "systemd_service",
        ("service", "Debian") => "debian_service",
        ("service", "RedHat") => "rh_service",
        ("user", _) => "useradd",
        ("group", _) => "groupadd",
        ("shadow", _) => "linux_shadow",
        ("cmd", _) => "cmdmod",
        ("log", _) => "logmod",
        ("random", _) => "mod_random",
        ("docker", _) => "dockermod",
        ("sysctl", _) => "linux_sysctl",
        ("locale", _) => "localemod",
        (other, _) if super::FUNCTIONS.keys().any(|name| name.split('.').next() == Some(other)) => other,
        _ => "",
    };
    Ok(Value::from(provider))
}
