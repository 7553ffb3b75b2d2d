//! Units that nothing may start: those whose unit file leads to nowhere.

use super::{Manager, Service};
use crate::formula::Dict;
use crate::states::returns::{dict, old_new};
use crate::states::{Call, Failed, Return};

pub(super) fn masked(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    set(&Service::new(call, &name)?, true, call.args.flag("runtime", false))
}

pub(super) fn unmasked(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    set(&Service::new(call, &name)?, false, call.args.flag("runtime", false))
}

/// Takes the mask off a service that is to run, if its state says so.
pub(super) fn unmask_on_the_way(service: &Service<'_>) -> Result<Option<Return>, Failed> {
    let args = &service.call.args;
    let is_wanted = args.flag("unmask", false) && matches!(service.manager, Manager::Systemd(_));
    is_wanted.then(|| set(service, false, args.flag("unmask_runtime", false))).transpose()
}

fn set(service: &Service<'_>, wanted: bool, until_boot: bool) -> Result<Return, Failed> {
    let name = service.name;
    let Manager::Systemd(unit) = &service.manager else {
        return Err("Service masking not available on this minion".into());
    };
    let kind = if until_boot { "runtime masked" } else { "masked" };
    let participle = match (wanted, until_boot) {
        (true, _) => kind,
        (false, true) => "runtime unmasked",
        (false, false) => "unmasked",
    };
    let verb = if wanted { "mask" } else { "unmask" };
    if unit.is_masked(until_boot) == wanted {
        let word = if wanted { "is" } else { "was" };
        return Ok(Return::unchanged(format!("Service {name} {word} already {participle}")));
    }
    let changes: Dict = dict([(kind, old_new(!wanted, wanted))]);
    if service.call.preview {
        return Ok(Return::would(changes, format!("Service {name} would be {participle}")));
    }
    let runtime = if until_boot { &["--runtime"][..] } else { &[] };
    unit.act(verb, runtime).map_err(|why| Failed::from(format!("Failed to {verb} service '{name}'\n{why}")))?;
    if unit.is_masked(until_boot) != wanted {
        return Err(format!("Failed to {verb} service {name}").into());
    }
    Ok(Return::changed(changes, format!("Service {name} was {participle}")))
}
