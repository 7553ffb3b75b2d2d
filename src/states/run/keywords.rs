//! The arguments that every state has, whatever its function: Salt's `STATE_INTERNAL_KEYWORDS` and what the compiler
//! leaves in a chunk.

/// What a state waits for, and what waits for it.
const REQUISITES: [&str; 19] = [
    "listen",
    "listen_in",
    "onchanges",
    "onchanges_any",
    "onchanges_in",
    "onfail",
    "onfail_all",
    "onfail_any",
    "onfail_in",
    "onfail_stop",
    "prereq",
    "prereq_in",
    "prerequired",
    "require",
    "require_any",
    "require_in",
    "watch",
    "watch_any",
    "watch_in",
];

/// How a state is run.
const RUNTIME: [&str; 22] = [
    "aggregate",
    "check_cmd",
    "cmd_opts_exclude",
    "creates",
    "failhard",
    "fire_event",
    "fun",
    "name",
    "onlyif",
    "order",
    "parallel",
    "reload_grains",
    "reload_modules",
    "reload_pillar",
    "retry",
    "runas",
    "runas_password",
    "saltenv",
    "state",
    "test",
    "umask",
    "unless",
];

/// Arguments that are taken over from another state.
const USE: [&str; 2] = ["use", "use_in"];

/// The arguments that every state has.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    REQUISITES.into_iter().chain(RUNTIME).chain(USE)
}

/// Whether every state has an argument. What begins with `__` is Salt's own.
pub(super) fn is_everywhere(argument: &str) -> bool {
    argument.starts_with("__") || all().any(|known| known == argument)
}
