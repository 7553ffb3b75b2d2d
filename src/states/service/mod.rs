//! `service.*`: what runs on a host and what starts with it.
//!
//! What a state says of a service is what systemd says at that moment, and again after something was done to it.

mod bus;
mod enabling;
mod masks;
mod systemd;
mod sysv;
mod watch;

use std::fmt::Display;
use std::time::Duration;

use crate::formula::{Data, Dict};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return};
pub(super) use bus::Bus;
use systemd::Systemd;
use sysv::SysV;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("service.running", running).takes(OPTIONS).checks(check).watches(watch::running),
    Function::new("service.dead", dead).takes(OPTIONS).checks(check).watches(watch::dead),
    Function::new("service.enabled", enabling::enabled).takes(OPTIONS).checks(check).watches(watch::unable),
    Function::new("service.disabled", enabling::disabled).takes(OPTIONS).checks(check).watches(watch::unable),
    Function::new("service.masked", masks::masked).takes(&["runtime"]).checks(check).watches(watch::unable),
    Function::new("service.unmasked", masks::unmasked).takes(&["runtime"]).checks(check).watches(watch::unable),
];

/// Salt lets each of them pass for every function, also where it means nothing.
const OPTIONS: &[&str] = &[
    "enable",
    "enabled",
    "force",
    "full_restart",
    "init_delay",
    "no_block",
    "provider",
    "reload",
    "sig",
    "timeout",
    "unmask",
    "unmask_runtime",
    "wait",
];

/// Salt's names of what upshift has.
const PROVIDERS: [&str; 5] = ["service", "systemd", "systemd_service", "debian_service", "rh_service"];

fn check(args: &Args<'_>) -> Result<(), String> {
    let text = |key| args.text(key).map_err(|failed| failed.comment).map(Option::unwrap_or_default);
    let (name, provider) = (text("name")?, text("provider")?);
    if args.chunk().has("enabled") {
        return Err(format!(
            "Service {name} uses non-existent option \"enabled\".  Perhaps \"enable\" option was intended?"
        ));
    }
    if name.contains(['*', '?', '[']) {
        return Err(format!("upshift has no patterns for names of services: `{name}`"));
    }
    if !provider.is_empty() && !PROVIDERS.contains(&provider.as_str()) {
        return Err(format!("upshift has no provider of services `{provider}`, only systemd and init scripts"));
    }
    Ok(())
}

/// How a service is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    /// Whether there is such a service.
    is_available: bool,
    is_running: bool,
    /// Whether it starts with the host.
    is_enabled: bool,
}

/// A service, with what looks after it.
struct Service<'a> {
    call: &'a Call<'a>,
    name: &'a str,
    manager: Manager<'a>,
}

enum Manager<'a> {
    Systemd(Systemd<'a>),
    SysV(SysV<'a>),
    /// Systemd is installed and does not run, as where an image is being made.
    Offline,
}

impl<'a> Service<'a> {
    fn new(call: &'a Call<'a>, name: &'a str) -> Result<Self, Failed> {
        let manager = if systemd::is_booted() {
            Manager::Systemd(Systemd::new(call.host, name))
        } else if ["/usr/bin/systemctl", "/bin/systemctl"].iter().any(|path| fs_err::metadata(path).is_ok()) {
            Manager::Offline
        } else {
            Manager::SysV(SysV { host: call.host, name, signature: call.args.text("sig")? })
        };
        Ok(Self { call, name, manager })
    }

    fn is_offline(&self) -> bool {
        matches!(self.manager, Manager::Offline)
    }

    fn look(&self) -> Result<Look, Failed> {
        match &self.manager {
            Manager::Systemd(unit) => unit.look(self.call.preview),
            Manager::SysV(script) => script.look(),
            Manager::Offline => {
                let name = self.name;
                Err(format!("Cannot run in offline mode. Failed to get information on unit '{name}'").into())
            }
        }
    }

    /// Has it started, stopped, restarted or reloaded; else why that was not done.
    fn act(&self, verb: &str) -> Result<(), String> {
        match &self.manager {
            Manager::Systemd(unit) => {
                let default = match verb {
                    // It would wait for the end of whoever waits for it.
                    "stop" | "restart" => unit.name == "salt-minion.service",
                    verb => verb == "force-reload",
                };
                let no_block = if self.call.args.flag("no_block", default) { &["--no-block"][..] } else { &[] };
                if verb != "stop" {
                    self.unmask_first(unit)?;
                }
                unit.act(verb, no_block).map_err(|why| self.with_last_words(why))
            }
            Manager::SysV(script) => script.act(verb),
            Manager::Offline => Err("systemd does not run".to_owned()),
        }
    }

    /// Takes the masks off that the state says to take off.
    fn unmask_first(&self, unit: &Systemd<'_>) -> Result<(), String> {
        for (option, until_boot) in [("unmask", false), ("unmask_runtime", true)] {
            if self.call.args.flag(option, false) && unit.is_masked(until_boot) {
                let runtime = if until_boot { &["--runtime"][..] } else { &[] };
                let failed = |_| format!("Failed to unmask service '{}'", self.name);
                unit.act("unmask", runtime).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// A comment on a service that does not run, with what it said last.
    fn with_last_words(&self, comment: impl Display) -> String {
        let comment = comment.to_string();
        match &self.manager {
            Manager::Systemd(unit) if !comment.contains(" is masked.") => match unit.last_words() {
                Some(words) => format!("{comment}\nIt said last: {words}"),
                None => comment,
            },
            _ => comment,
        }
    }

    /// Waits as long as the state says a service needs until it is what it is said to be.
    fn wait(&self) -> Result<(), Failed> {
        let step = Duration::from_millis(100);
        let mut left = self.call.args.seconds("init_delay")?.unwrap_or_default();
        while !left.is_zero() {
            if self.call.host.listener().is_stopped() {
                return Err(format!("waiting for {} was ended", self.name).into());
            }
            std::thread::sleep(left.min(step));
            left = left.saturating_sub(step);
        }
        Ok(())
    }

    /// What a function comes to for a service that is not there: in a preview it may come with a package by then.
    fn missing(&self, result: bool, participle: &str) -> Return {
        let name = self.name;
        if self.call.preview {
            let comment =
                format!("Service {name} not present; if created in this state run, it would have been {participle}");
            return Return::would(Dict::default(), comment);
        }
        let comment = format!("The named service {name} is not available");
        Return { result: Some(result), comment, ..Return::default() }
    }

    /// Whether the service has to start with the host, if that matters.
    fn wanted_enabled(&self) -> Option<bool> {
        match self.call.args.get("enable")? {
            Data::Bool(wanted) => Some(*wanted),
            Data::Str(text) => {
                let number = text.trim().parse::<f64>().ok().map(|number| number > 0.0);
                Some(number.unwrap_or_else(|| text.eq_ignore_ascii_case("true")))
            }
            _ => None,
        }
    }

    /// Changes whether it starts with the host, where that is wanted and not so, and says so in place of what was said.
    fn enable_over(&self, ret: Return, before: Look, running: Option<bool>) -> Result<Return, Failed> {
        match self.wanted_enabled() {
            None => Ok(ret),
            // What is as it should be is only worth a word where something else was done.
            Some(wanted) if wanted == before.is_enabled && running.is_none() => Ok(ret),
            Some(wanted) => enabling::Toggle { service: self, wanted, running }.over(ret),
        }
    }
}

fn offline() -> Return {
    Return::unchanged("Running in OFFLINE mode. Nothing to do")
}

fn running(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let service = Service::new(call, &name)?;
    if service.is_offline() {
        return Ok(offline());
    }
    let before = service.look()?;
    if !before.is_available {
        return Ok(service.missing(false, "started"));
    }
    let unmasked = masks::unmask_on_the_way(&service)?;
    let and_unmasked = |comment: String| match &unmasked {
        Some(unmasked) if !unmasked.comment.is_empty() => format!("{comment}\n{}", unmasked.comment),
        _ => comment,
    };
    if before.is_running {
        let comment = and_unmasked(format!("The service {name} is already running"));
        let changes = unmasked.as_ref().filter(|_| !call.preview).map(|unmasked| unmasked.changes.clone());
        let ret = Return::changed(changes.unwrap_or_default(), comment);
        return service.enable_over(ret, before, None);
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), and_unmasked(format!("Service {name} is set to start"))));
    }
    service.act("start").map_err(Failed::from)?;
    service.wait()?;
    let after = service.look()?;
    let changes = if before == after { Dict::default() } else { dict([(&*name, after.is_running.into())]) };
    let comment = if after.is_running {
        format!("Started service {name}")
    } else {
        service.with_last_words(format!("Service {name} failed to start"))
    };
    let ret = Return { result: Some(after.is_running), changes, comment };
    let mut ret = service.enable_over(ret, after, Some(after.is_running))?;
    if let Some(delay) = call.args.text("init_delay")?.filter(|_| call.args.flag("init_delay", false)) {
        ret.comment = format!("{}\nDelayed return for {delay} seconds", ret.comment);
    }
    ret.comment = and_unmasked(ret.comment);
    Ok(ret)
}

fn dead(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let service = Service::new(call, &name)?;
    if service.is_offline() {
        return Ok(offline());
    }
    let before = service.look()?;
    if !before.is_available {
        return Ok(service.missing(true, "stopped"));
    }
    if !before.is_running {
        let ret = Return::unchanged(format!("The service {name} is already dead"));
        return service.enable_over(ret, before, None);
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Service {name} is set to be killed")));
    }
    if let Err(why) = service.act("stop") {
        let comment = format!("Service {name} failed to die\n{why}");
        return service.enable_over(Failed::from(comment).into(), before, Some(true));
    }
    service.wait()?;
    let after = service.look()?;
    let changes = if before == after { Dict::default() } else { dict([(&*name, after.is_running.into())]) };
    let comment = if after.is_running { "failed to die" } else { "was killed" };
    let ret = Return { result: Some(!after.is_running), changes, comment: format!("Service {name} {comment}") };
    service.enable_over(ret, after, Some(after.is_running))
}
