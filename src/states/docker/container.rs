//! `docker_container.running`, `docker_container.stopped` and `docker_container.absent`.

use std::time::Duration;

use super::engine::{Engine, Thing, part};
use super::image;
use super::settings::Settings;
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Return};

/// A container that was started may end at once: it is looked at after this.
const SETTLING: Duration = Duration::from_millis(200);

/// The state of a container in Salt's words; `None` if there is none.
fn state(container: Option<&Data>) -> Option<&'static str> {
    let is = |field: &str| container?.get("State")?.get(field).map(Data::is_true);
    container?;
    Some(match (is("Paused"), is("Running")) {
        (Some(true), _) => "paused",
        (_, Some(true)) => "running",
        _ => "stopped",
    })
}

fn id(data: &Data, key: &str) -> String {
    data.get(key).and_then(text).unwrap_or_default()
}

/// What is done when something that is watched has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    None,
    Force,
    Signal(String),
}

pub(super) fn running(call: &Call<'_>) -> Result<Return, Failed> {
    run(call, &News::None)
}

pub(super) fn watch(call: &Call<'_>) -> Result<Return, Failed> {
    let news = match call.args.text("watch_action")?.as_deref() {
        None | Some("force") => News::Force,
        Some(signal) => News::Signal(signal.to_owned()),
    };
    run(call, &news)
}

/// A container that is to run.
struct Work<'a> {
    call: &'a Call<'a>,
    engine: Engine,
    name: String,
    settings: Settings,
    changes: Dict,
    said: Vec<String>,
}

fn run(call: &Call<'_>, news: &News) -> Result<Return, Failed> {
    let (engine, name) = (Engine::of(call)?, call.args.name()?);
    let settings = Settings::of(&call.args)?;
    let mut work = Work { call, engine, name, settings, changes: Dict::default(), said: Vec::new() };
    work.run(news).map_err(|why| Failed::from(work.comment(Some(why))).after(work.changes.clone()))
}

impl Work<'_> {
    fn run(&mut self, news: &News) -> Result<Return, String> {
        let preview = self.call.preview;
        let is_forced = *news == News::Force || self.call.args.flag("force", false);
        self.check_networks()?;
        self.settings.adapt(&self.engine)?;
        let image = self.image()?;
        let there = self.engine.inspect(Thing::Container, &self.name)?;
        let before = state(there.as_ref());
        let wanted_image = image.as_ref().map(|image| id(image, "Id")).unwrap_or_default();
        let current_image = there.as_ref().map(|there| id(there, "Image"));
        let is_new_image = current_image.as_ref().is_some_and(|current| *current != wanted_image);
        let differences = match (&there, &image) {
            (Some(there), Some(image)) if !is_new_image => self.settings.differences(there, image),
            _ => Dict::default(),
        };
        let is_right = there.is_some() && !is_forced && !is_new_image && differences.entries.is_empty();
        if !differences.entries.is_empty() && !is_forced {
            self.changes.insert("container", differences);
        }
        if preview && !is_right {
            if is_forced {
                self.changes.insert("forced_update", true);
            } else if is_new_image || there.is_none() {
                let current = current_image.map_or(Data::None, Data::from);
                self.changes.insert("image", old_new(current, wanted_image));
            }
            let done = if there.is_some() { "replaced" } else { "created" };
            self.said.push(format!("Container '{}' would be {done}", self.name));
            return Ok(Return::would(self.changes.clone(), self.comment(None)));
        }
        let mut would = false;
        if is_right {
            would |= self.signal(news)?;
            would |= self.connect(there.as_ref())?;
        } else {
            self.replace(there.as_ref())?;
        }
        // A container that is replaced runs if the new one is to.
        let starts = self.call.args.flag("start", true);
        let must_start = starts && (!is_right || before != Some("running"));
        if must_start && preview {
            self.said.push("Container would be started".to_owned());
            return Ok(Return::would(self.changes.clone(), self.comment(None)));
        }
        if must_start || (there.is_none() && starts) {
            self.start(before == Some("paused") && is_right)?;
        }
        if preview {
            let comment = self.comment(None);
            let changes = self.changes.clone();
            return Ok(if would { Return::would(changes, comment) } else { Return::unchanged(comment) });
        }
        let after = self.engine.inspect(Thing::Container, &self.name)?;
        let after = state(after.as_ref());
        if before != after {
            let word = |state: Option<&str>| state.map_or(Data::None, Data::from);
            self.changes.insert("state", old_new(word(before), word(after)));
            if let (Some(before), Some(after)) = (before, after) {
                self.said.push(format!("State changed from '{before}' to '{after}'"));
            }
        }
        if is_new_image {
            self.said.push("Container has a new image".to_owned());
            let current = current_image.map_or(Data::None, Data::from);
            self.changes.insert("image", old_new(current, wanted_image));
        }
        if starts && after != Some("running") {
            return Err("Container is not running".to_owned());
        }
        Ok(Return::changed(self.changes.clone(), self.comment(None)))
    }

    /// What is said, as one text.
    fn comment(&self, more: Option<String>) -> String {
        let said: Vec<String> = self.said.iter().cloned().chain(more).collect();
        let end = if said.len() > 1 { "." } else { "" };
        said.join(". ") + end
    }

    /// The image, which is pulled if it is not there; a preview leaves that.
    fn image(&mut self) -> Result<Option<Data>, String> {
        let name = &self.settings.image;
        if let Some(there) = self.engine.inspect(Thing::Image, name)? {
            return Ok(Some(there));
        }
        if self.call.preview {
            return Ok(None);
        }
        let failed = |why: String| format!("Failed to pull {name}: {why}");
        let pulled = image::pull(&self.engine, name).map_err(failed)?;
        self.changes.insert("image", pulled);
        self.engine.inspect(Thing::Image, name)?.map(Some).ok_or_else(|| failed("it is not there".to_owned()))
    }

    fn check_networks(&self) -> Result<(), String> {
        let Some(networks) = &self.settings.networks else { return Ok(()) };
        let mut missing = Vec::new();
        for network in networks {
            if self.engine.inspect(Thing::Network, network)?.is_none() {
                missing.push(network.as_str());
            }
        }
        // An earlier state would have made them.
        if missing.is_empty() || self.call.preview {
            return Ok(());
        }
        Err(format!("The following networks are not present: {}", missing.join(", ")))
    }

    /// Makes the container anew, under another name until it can take the place of what is there.
    fn replace(&mut self, there: Option<&Data>) -> Result<(), String> {
        let temporary = format!("{}-upshift-new", self.name);
        let place = if there.is_some() { &temporary } else { &self.name };
        // What a process left that was killed here.
        self.engine.act("DELETE", &format!("{}?force=true", Thing::Container.path(&temporary)), None).ok();
        let path = format!("/containers/create?name={}", part(place));
        let created = self.engine.act("POST", &path, Some(&self.settings.body()))?;
        let new = id(&created, "Id");
        self.settle_networks(&new)?;
        let mut ids = dict([("added", new.as_str().into())]);
        if let Some(there) = there {
            let old = id(there, "Id");
            self.stop(&old)?;
            self.engine.act("DELETE", &format!("{}?force=true", Thing::Container.path(&old)), None)?;
            ids.insert("removed", vec![Data::from(old)]);
            self.changes.insert("container_id", ids.clone());
            let path = format!("{}/rename?name={}", Thing::Container.path(&new), part(&self.name));
            let failed =
                |why| format!("Failed to rename temp container: {why}. Failed to replace container '{}'", self.name);
            self.engine.act("POST", &path, None).map_err(failed)?;
            self.said.push(format!("Replaced container '{}'", self.name));
        } else {
            self.said.push(format!("Created container '{}'", self.name));
        }
        self.changes.insert("container_id", ids);
        let warnings = created.get("Warnings").and_then(Data::as_list).unwrap_or_default();
        let warnings = warnings.iter().filter_map(Data::as_str).map(|warning| warning.trim_end_matches('.'));
        self.said.extend(warnings.map(|warning| format!("Docker warns: {warning}")));
        Ok(())
    }

    fn stop(&self, id: &str) -> Result<(), String> {
        stop(&self.engine, &self.call.args, id)
    }

    fn start(&self, is_paused: bool) -> Result<(), String> {
        let verb = if is_paused { "unpause" } else { "start" };
        let started = self.engine.act("POST", &format!("{}/{verb}", Thing::Container.path(&self.name)), None);
        started.map_err(|why| format!("Failed to start container '{}': '{why}'", self.name))?;
        std::thread::sleep(SETTLING);
        Ok(())
    }

    /// Tells a container that is right of the news that it asked for. Says whether a preview would.
    fn signal(&mut self, news: &News) -> Result<bool, String> {
        let News::Signal(signal) = news else {
            self.said.push(format!("Container '{}' is already configured as specified", self.name));
            return Ok(false);
        };
        if self.call.preview {
            self.said.push(format!("Signal {signal} would be sent to container"));
            return Ok(true);
        }
        let path = format!("{}/kill?signal={}", Thing::Container.path(&self.name), part(signal));
        self.engine.act("POST", &path, None).map_err(|why| format!("Failed to signal container: {why}"))?;
        self.changes.insert("signal", signal.as_str());
        self.said.push(format!("Sent signal {signal} to container"));
        Ok(false)
    }

    /// Puts a container that is right into its networks. Says whether a preview would.
    fn connect(&mut self, there: Option<&Data>) -> Result<bool, String> {
        let Some((joins, leaves)) = there.and_then(|there| self.networks(there)) else { return Ok(false) };
        if joins.is_empty() && leaves.is_empty() {
            return Ok(false);
        }
        let change = |name: &String, old: &str, new: &str| (name.clone(), old_new(old, new));
        let joined = joins.iter().map(|name| change(name, "", "connected"));
        let left = leaves.iter().map(|name| change(name, "connected", ""));
        let networks = dict(joined.chain(left));
        self.changes.insert("container", dict([("Networks", networks.into())]));
        if self.call.preview {
            self.said.push("Network configuration would be updated".to_owned());
            return Ok(true);
        }
        let name = self.name.clone();
        self.move_between(&name, &joins, &leaves)?;
        self.said.extend(leaves.iter().map(|network| format!("Disconnected from network '{network}'")));
        self.said.extend(joins.iter().map(|network| format!("Connected to network '{network}'")));
        Ok(false)
    }

    fn settle_networks(&self, id: &str) -> Result<(), String> {
        let there = self.engine.inspect(Thing::Container, id)?;
        match there.and_then(|there| self.networks(&there)) {
            Some((joins, leaves)) => self.move_between(id, &joins, &leaves),
            None => Ok(()),
        }
    }

    /// The networks that a container is to join and to leave; `None` if it does not matter.
    fn networks(&self, container: &Data) -> Option<(Vec<String>, Vec<String>)> {
        let wanted = self.settings.networks.as_ref()?;
        let there = container.get("NetworkSettings").and_then(|settings| settings.get("Networks"));
        let there = there.and_then(Data::as_dict).into_iter().flat_map(|there| there.entries.keys());
        let there: Vec<String> = there.filter_map(text).collect();
        let joins = wanted.iter().filter(|name| !there.contains(name)).cloned().collect();
        let leaves = there.iter().filter(|name| !wanted.contains(name)).cloned().collect();
        Some((joins, leaves))
    }

    fn move_between(&self, container: &str, joins: &[String], leaves: &[String]) -> Result<(), String> {
        let body = Data::from(dict([("Container", container.into()), ("Force", true.into())]));
        for (networks, verb) in [(leaves, "disconnect"), (joins, "connect")] {
            for network in networks {
                let path = format!("{}/{verb}", Thing::Network.path(network));
                self.engine.act("POST", &path, Some(&body))?;
            }
        }
        Ok(())
    }
}

fn stop(engine: &Engine, args: &Args<'_>, id: &str) -> Result<(), String> {
    let timeout = args.number("shutdown_timeout").map_err(|failed| failed.comment)?;
    let timeout = timeout.map(|timeout| format!("?t={timeout}")).unwrap_or_default();
    engine.act("POST", &format!("{}/stop{timeout}", Thing::Container.path(id)), None).map(drop)
}

pub(super) fn stopped(call: &Call<'_>) -> Result<Return, Failed> {
    let (engine, args) = (Engine::of(call)?, &call.args);
    let names = if args.get("containers").is_some() { args.texts("containers")? } else { vec![args.name()?] };
    let unpauses = args.flag("unpause", false);
    let (mut absent, mut paused, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for name in &names {
        match state(engine.inspect(Thing::Container, name)?.as_ref()) {
            None => absent.push(name.as_str()),
            Some("paused") if !unpauses => paused.push(name.as_str()),
            Some("stopped") => {}
            Some(state) => targets.push((name.as_str(), state)),
        }
    }
    let mut errors = Vec::new();
    if args.flag("error_on_absent", true) && !absent.is_empty() {
        errors.push(format!("The following container(s) are absent: {}", absent.join(", ")));
    }
    if !paused.is_empty() {
        errors.push(format!("The following container(s) are paused: {}", paused.join(", ")));
    }
    if !errors.is_empty() {
        return Err(errors.join(". ").into());
    }
    if targets.is_empty() {
        let who = match names.as_slice() {
            [name] => format!("Container '{name}' is"),
            _ => "All specified containers are".to_owned(),
        };
        let or = if absent.is_empty() { "" } else { "absent or " };
        return Ok(Return::unchanged(format!("{who} {or}not running")));
    }
    let list = targets.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("The following container(s) will be stopped: {list}")));
    }
    let (mut changes, mut errors) = (Dict::default(), Vec::new());
    for (name, state) in targets {
        let unpaused = match state {
            "paused" => engine.act("POST", &format!("{}/unpause", Thing::Container.path(name)), None).map(drop),
            _ => Ok(()),
        };
        match unpaused.and_then(|()| stop(&engine, args, name)) {
            Ok(()) => {
                let change = dict([("state", old_new(state, "stopped")), ("result", true.into())]);
                changes.insert(name, change);
            }
            Err(why) => errors.push(format!("Failed to stop container '{name}': {why}")),
        }
    }
    if !errors.is_empty() {
        return Err(Failed::from(errors.join("; ")).after(changes));
    }
    Ok(Return::changed(changes, format!("The following container(s) were stopped: {list}")))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (engine, name, force) = (Engine::of(call)?, call.args.name()?, call.args.flag("force", false));
    let Some(there) = engine.inspect(Thing::Container, &name)? else {
        return Ok(Return::unchanged(format!("Container '{name}' does not exist")));
    };
    let before = state(Some(&there));
    if before != Some("stopped") && !force {
        return Err("Container is running, set force to True to forcibly remove it".into());
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Container '{name}' will be removed")));
    }
    engine
        .act("DELETE", &format!("{}?force={force}", Thing::Container.path(&name)), None)
        .map_err(|why| format!("Failed to remove container '{name}': {why}"))?;
    let method = if before == Some("stopped") { "Successfully" } else { "Forcibly" };
    let changes = dict([("removed", vec![Data::from(id(&there, "Id"))].into())]);
    Ok(Return::changed(changes, format!("{method} removed container '{name}'")))
}
