//! Whether a service starts with the host.

use super::{Manager, Service, sysv};
use crate::formula::Dict;
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

/// Makes a service start with the host, or not.
pub(super) struct Toggle<'a> {
    pub(super) service: &'a Service<'a>,
    pub(super) wanted: bool,
    /// Whether it runs; `None` where nothing was done about that.
    pub(super) running: Option<bool>,
}

pub(super) fn enabled(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let service = Service::new(call, &name)?;
    if !service.look()?.is_available {
        return Ok(service.missing(false, "enabled"));
    }
    Toggle { service: &service, wanted: true, running: None }.over(Return::unchanged(""))
}

pub(super) fn disabled(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let service = Service::new(call, &name)?;
    if !service.look()?.is_available {
        return Ok(Return::unchanged(format!("The named service {name} is not available")));
    }
    Toggle { service: &service, wanted: false, running: None }.over(Return::unchanged(""))
}

impl Toggle<'_> {
    /// Does it after something else came to a return, and says so there.
    ///
    /// A service that does not do what it should stays a failure, whether it starts with the host or not.
    pub(super) fn over(&self, ret: Return) -> Result<Return, Failed> {
        let (name, participle) = (self.service.name, self.participle());
        let before = self.service.look()?.is_enabled;
        if before == self.wanted {
            return Ok(self.said(ret, &format!("Service {name} is already {participle}, and is ")));
        }
        if self.service.call.preview {
            return Ok(Return::would(Dict::default(), format!("Service {name} set to be {participle}")));
        }
        if let Err(why) = self.act() {
            let comment = format!("{}. Additional information follows:\n\n{why}", self.failure());
            return Ok(Return { result: Some(false), comment, ..ret });
        }
        let mut ret = self.said(ret, &format!("Service {name} has been {participle}, and is "));
        ret.changes =
            if self.service.look()?.is_enabled == before { Dict::default() } else { dict([(name, true.into())]) };
        Ok(ret)
    }

    fn participle(&self) -> &'static str {
        if self.wanted { "enabled" } else { "disabled" }
    }

    /// The return with a comment on how the service starts and runs. Why it does not run stays in it.
    fn said(&self, ret: Return, start: &str) -> Return {
        let end = match self.running {
            None => "in the desired state",
            Some(true) => "running",
            Some(false) => "dead",
        };
        let why = match ret.comment.split_once('\n') {
            Some((_, why)) if self.running.is_some() => format!("\n{why}"),
            _ => String::new(),
        };
        Return { comment: format!("{start}{end}{why}"), ..ret }
    }

    fn act(&self) -> Result<(), String> {
        let (service, host) = (self.service, self.service.call.host);
        match &service.manager {
            Manager::Systemd(unit) => {
                if self.wanted {
                    service.unmask_first(unit)?;
                }
                match unit.init_script() {
                    Some(_) => sysv::enable(host, service.name, self.wanted),
                    None => unit.act(if self.wanted { "enable" } else { "disable" }, &[]),
                }
            }
            Manager::SysV(script) => script.enable(self.wanted),
            Manager::Offline => Err("systemd does not run".to_owned()),
        }
    }

    fn failure(&self) -> String {
        let start = format!("Failed when setting service {} to ", self.service.name);
        start
            + match (self.wanted, self.running) {
                (true, Some(true)) => "start at boot, but the service is running",
                (true, None) => "start at boot, but the service was already running",
                (true, Some(false)) => "start at boot, and the service is dead",
                (false, Some(true)) => "not start at boot, and is running",
                (false, None) => "not start at boot, but the service was already running",
                (false, Some(false)) => "not start at boot, and the service is dead",
            }
    }
}
