//! What a service does when something has changed that it watches.

use super::Service;
use crate::formula::{Data, Dict};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

pub(super) fn running(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let service = Service::new(call, &name)?;
    let is_running = service.look()?.is_running;
    let (verb, word) = match (is_running, call.args.flag("reload", false), call.args.flag("force", false)) {
        (false, ..) => ("start", "start"),
        (true, true, true) => ("force-reload", "forcefully reload"),
        (true, true, false) => ("reload", "reload"),
        (true, false, _) => ("restart", "restart"),
    };
    if verb == "start" && !call.preview {
        // What is left of a service that is thought not to run is in the way of one that does.
        let _ = service.act("stop");
    }
    act(&service, verb, word, &format!("{word}ed"))
}

pub(super) fn dead(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let service = Service::new(call, &name)?;
    if !service.look()?.is_running {
        return Ok(Return::unchanged("Service is already stopped"));
    }
    act(&service, "stop", "stop", "stopped")
}

pub(super) fn unable(call: &Call<'_>) -> Result<Return, Failed> {
    let function = call.args.chunk().get("fun").and_then(Data::as_str).unwrap_or_default();
    Err(format!("Unable to trigger watch for service.{function}").into())
}

fn act(service: &Service<'_>, verb: &str, word: &str, participle: &str) -> Result<Return, Failed> {
    if service.call.preview {
        return Ok(Return::would(Dict::default(), format!("Service is set to be {participle}")));
    }
    service.act(verb).map_err(|why| Failed::from(format!("Failed to {word} the service\n{why}")))?;
    service.wait()?;
    Ok(Return::changed(dict([(service.name, true.into())]), format!("Service {participle}")))
}
