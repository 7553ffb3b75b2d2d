//! `kmod.*`: modules of the kernel.
//!
//! `br-netfilter` and `br_netfilter` are one module. One that is built in is always loaded.

use std::collections::BTreeSet;

use camino::Utf8Path;
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::disk::{self, Attributes};
use crate::states::{Args, Call, Command, Failed, Function, Host, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("kmod.present", present).takes(&["persist", "mods"]),
    Function::new("kmod.absent", absent).takes(&["persist", "comment", "mods"]),
];

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (wanted, persist) = (modules(&call.args)?, call.args.flag("persist", false));
    let (loaded, config) = (loaded(), config());
    let kept = kept(&read(config)?);
    let is_there = |name: &String| has(&loaded, name) && (!persist || has(&kept, name));
    let (there, missing): (Vec<String>, Vec<String>) = wanted.into_iter().partition(is_there);
    let mut said = Vec::new();
    said.extend(sentence(
        &there,
        |names| format!("Kernel module {names} is already present"),
        |names| format!("Kernel modules {names} are already present"),
    ));
    if missing.is_empty() {
        return Ok(Return::unchanged(said.join("\n")));
    }
    if call.preview {
        said.extend(sentence(
            &missing,
            |names| format!("Kernel module {names} is set to be loaded"),
            |names| format!("Kernel modules {names} are set to be loaded"),
        ));
        return Ok(Return::would(Dict::default(), said.join("\n")));
    }
    let available = available();
    let (missing, unavailable): (Vec<String>, Vec<String>) =
        missing.into_iter().partition(|name| has(&available, name));
    let mut work = Work { said, failed: !unavailable.is_empty(), ..Work::default() };
    work.said.extend(sentence(
        &unavailable,
        |names| format!("Kernel module {names} is unavailable"),
        |names| format!("Kernel modules {names} are unavailable"),
    ));
    let keep = |name: &str| if persist { set_kept(config, name) } else { Ok(false) };
    work.through(call.host, &missing, "modprobe", "loaded", keep);
    Ok(work.over(["Loaded", "load"]))
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (unwanted, persist) = (modules(&call.args)?, call.args.flag("persist", false));
    let (loaded, config) = (loaded_apart(), config());
    let kept = if persist { kept(&read(config)?) } else { BTreeSet::new() };
    let there: Vec<String> = unwanted.iter().filter(|name| has(&loaded, name) || has(&kept, name)).cloned().collect();
    if there.is_empty() {
        let one = |names: String| format!("Kernel module {names} is already removed");
        let comment = sentence(&unwanted, one, |names| format!("Kernel modules {names} are already removed"));
        return Ok(Return::unchanged(comment.unwrap_or_default()));
    }
    if call.preview {
        let one = |names: String| format!("Kernel module {names} is set to be removed");
        let comment = sentence(&there, one, |names| format!("Kernel modules {names} are set to be removed"));
        return Ok(Return::would(Dict::default(), comment.unwrap_or_default()));
    }
    let as_comment = call.args.flag("comment", true);
    let mut work = Work::default();
    let forget = |name: &str| if persist { set_not_kept(config, name, as_comment) } else { Ok(false) };
    work.through(call.host, &there, "rmmod", "removed", forget);
    Ok(work.over(["Removed", "remove"]))
}

fn modules(args: &Args<'_>) -> Result<Vec<String>, Failed> {
    match args.get("mods") {
        Some(Data::List(_)) => args.texts("mods"),
        _ => Ok(vec![args.name()?]),
    }
}

/// What becomes of some modules.
#[derive(Default)]
struct Work {
    said: Vec<String>,
    changes: Dict,
    done: Vec<String>,
    idle: Vec<String>,
    whys: Vec<(String, String)>,
    failed: bool,
}

impl Work {
    /// Has a program load or remove each module, and then the configuration keep or forget it.
    fn through(
        &mut self,
        host: &Host<'_>,
        names: &[String],
        program: &str,
        participle: &str,
        configure: impl Fn(&str) -> Result<bool, Failed>,
    ) {
        for name in names {
            let before = loaded_apart();
            let is_loading = program == "modprobe";
            if is_loading != has(&before, name) {
                match host.run(Command::new(program, [name])) {
                    Ok(output) if output.is_success() => {}
                    Ok(output) => {
                        self.whys.push((name.clone(), output.stderr.trim().to_owned()));
                        continue;
                    }
                    Err(failed) => {
                        self.whys.push((name.clone(), failed.comment));
                        continue;
                    }
                }
            }
            let after = loaded_apart();
            let mut changed: BTreeSet<String> = before.symmetric_difference(&after).cloned().collect();
            match configure(name) {
                Ok(true) => drop(changed.insert(name.clone())),
                Ok(false) => {}
                Err(failed) => self.whys.push((name.clone(), failed.comment)),
            }
            // One that came with another has nothing more to change.
            let is_so = is_loading && self.changes.has(&plain(name));
            if changed.is_empty() && !is_so {
                self.idle.push(name.clone());
            } else {
                self.done.push(name.clone());
            }
            self.changes.entries.extend(changed.into_iter().map(|name| (name.into(), participle.into())));
        }
    }

    fn over(mut self, [participle, verb]: [&str; 2]) -> Return {
        let one = |names: String| format!("{participle} kernel module {names}");
        self.said.extend(sentence(&self.done, one, |names| format!("{participle} kernel modules {names}")));
        let one = |names: String| format!("Failed to {verb} kernel module {names}");
        self.said.extend(sentence(&self.idle, one, |names| format!("Failed to {verb} kernel modules {names}")));
        let program = if verb == "load" { "loading" } else { "removing" };
        let failed = self.whys.iter();
        self.said.extend(
            failed.map(|(name, why)| {
                format!("Failed to {verb} kernel module {name}: Error {program} module {name}: {why}")
            }),
        );
        let is_done = !self.failed && self.idle.is_empty() && self.whys.is_empty();
        Return { result: Some(is_done), changes: self.changes, comment: self.said.join("\n") }
    }
}

/// What is said of some modules, in words for one of them or for several.
fn sentence(names: &[String], one: impl Fn(String) -> String, several: impl Fn(String) -> String) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(one(name.clone())),
        names => Some(several(names.join(", "))),
    }
}

/// A module's name as the kernel has it.
fn plain(name: &str) -> String {
    name.split_whitespace().next().unwrap_or_default().replace('-', "_")
}

fn has(modules: &BTreeSet<String>, name: &str) -> bool {
    modules.contains(&plain(name))
}

/// The modules that were loaded, without those that are built in.
fn loaded_apart() -> BTreeSet<String> {
    let file = fs::read_to_string("/proc/modules").unwrap_or_default();
    file.lines().map(plain).filter(|name| !name.is_empty()).collect()
}

fn loaded() -> BTreeSet<String> {
    let mut loaded = loaded_apart();
    loaded.extend(names_in("modules.builtin"));
    loaded
}

/// The modules that this kernel can load or has built in.
fn available() -> BTreeSet<String> {
    names_in("modules.builtin").into_iter().chain(names_in("modules.dep")).collect()
}

/// The modules in a list of the running kernel's, one path a line.
fn names_in(list: &str) -> Vec<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let file = fs::read_to_string(format!("/lib/modules/{}/{list}", release.trim())).unwrap_or_default();
    file.lines().filter_map(name_in).collect()
}

/// The module in `kernel/net/br-netfilter.ko.xz: kernel/net/bridge.ko`.
fn name_in(line: &str) -> Option<String> {
    let path = line.split(':').next()?;
    let (name, _) = path.rsplit('/').next()?.split_once(".ko")?;
    Some(plain(name))
}

/// Where Salt lists the modules to load at boot.
fn config() -> &'static Utf8Path {
    let has_systemd = fs::metadata("/run/systemd/system").is_ok();
    Utf8Path::new(if has_systemd { "/etc/modules-load.d/salt_managed.conf" } else { "/etc/modules" })
}

fn read(config: &Utf8Path) -> Result<String, Failed> {
    match fs::read_to_string(config) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        text => Ok(text.unwrap_or_default()),
    }
}

fn kept(text: &str) -> BTreeSet<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .map(plain)
        .filter(|name| !name.is_empty())
        .collect()
}

/// Has a module loaded at boot. Returns whether that is new.
fn set_kept(config: &Utf8Path, name: &str) -> Result<bool, Failed> {
    let text = read(config)?;
    if has(&kept(&text), name) {
        return Ok(false);
    }
    write(config, &with_kept(&text, name))?;
    Ok(true)
}

/// The list with a module: the comment that it was made becomes a line again.
fn with_kept(text: &str, name: &str) -> String {
    let is_comment = |line: &&str| line.strip_prefix('#').is_some_and(|rest| rest.trim() == name);
    if text.lines().any(|line| is_comment(&line)) {
        let lines = text.lines().map(|line| if is_comment(&line) { name } else { line });
        return lines.flat_map(|line| [line, "\n"]).collect();
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}{name}\n")
}

/// No longer has a module loaded at boot. Returns whether that is new.
fn set_not_kept(config: &Utf8Path, name: &str, as_comment: bool) -> Result<bool, Failed> {
    let text = read(config)?;
    if !has(&kept(&text), name) {
        return Ok(false);
    }
    write(config, &without_kept(&text, name, as_comment))?;
    Ok(true)
}

fn without_kept(text: &str, name: &str, as_comment: bool) -> String {
    let is_it = |line: &str| !line.trim_start().starts_with('#') && plain(line) == plain(name);
    let line = |line: &str| match (is_it(line), as_comment) {
        (true, true) => format!("#{line}\n"),
        (true, false) => String::new(),
        (false, _) => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn write(config: &Utf8Path, text: &str) -> Result<(), Failed> {
    if let Some(folder) = config.parent().filter(|folder| !folder.exists()) {
        disk::create_folder(folder, Attributes::default(), Attributes::default())?;
    }
    Ok(disk::replace(config, text.as_bytes(), Attributes::default())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_one_however_its_name_is_written() {
        assert_eq!(name_in("kernel/net/bridge/br-netfilter.ko.xz: kernel/net/bridge.ko"), Some("br_netfilter".into()));
        assert!(has(&kept("# vhost\nbr-netfilter\n"), "br_netfilter"));
        assert!(!has(&kept("# vhost\n"), "vhost"));
    }

    #[test]
    fn a_module_that_was_made_a_comment_comes_back_in_its_place() {
        let text = "a\nvhost\nb\n";
        let without = without_kept(text, "vhost", true);
        assert_eq!(without, "a\n#vhost\nb\n");
        assert_eq!(with_kept(&without, "vhost"), text);
        assert_eq!(without_kept(text, "vhost", false), "a\nb\n");
        assert_eq!(with_kept("a", "b"), "a\nb\n");
    }
}
