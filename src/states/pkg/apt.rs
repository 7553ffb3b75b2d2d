//! `apt` and `dpkg`: what they are asked and told, and what they say.
//!
//! What is installed is read from `dpkg`'s own files. Only what repositories offer and what changes something starts a
//! program. Settings that a person has changed on the host stay.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use fs_err as fs;

use super::database::Packages;
use super::manager::{How, Offer, Offers, Options, Target, What};
use crate::states::{Command, Failed, Host, Output};

/// The files that change with what is installed.
pub(super) const DATABASE: [&str; 2] = [STATUS, UPDATES];

const STATUS: &str = "/var/lib/dpkg/status";

/// What `dpkg` has noted since it last wrote the status.
const UPDATES: &str = "/var/lib/dpkg/updates";

const LISTS: &str = "/var/lib/apt/lists";

/// Keeps everything from asking questions.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("APT_LISTBUGS_FRONTEND", "none"),
    ("APT_LISTCHANGES_FRONTEND", "none"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("UCF_FORCE_CONFFOLD", "1"),
];

/// What `dpkg` says of every package.
pub(super) fn packages(host: &Host<'_>) -> Result<Packages, Failed> {
    let mut texts = vec![fs::read(STATUS)?];
    // They are numbered, and there are none unless `dpkg` is at work or was interrupted.
    let mut updates: Vec<_> = match fs::read_dir(UPDATES) {
        Ok(entries) => {
            entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect()
        }
        Err(_) => Vec::new(),
    };
    updates.retain(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    updates.sort();
    for name in updates {
        texts.push(fs::read(format!("{UPDATES}/{name}")).unwrap_or_default());
    }
    let texts: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(text)).collect();
    let is_marked = host.grain("cpuarch") == Some("x86_64") && host.grain("osarch") == Some("amd64");
    Ok(Packages::of_dpkg(texts.iter().map(AsRef::as_ref), is_marked.then_some("amd64")))
}

/// Fetches the lists of the repositories, unless that was done less than `valid` ago.
pub(super) fn refresh(host: &Host<'_>, valid: Duration) -> Result<(), Failed> {
    let age = || fs::metadata(LISTS).ok()?.modified().ok()?.elapsed().ok();
    if !valid.is_zero() && age().is_some_and(|age| age < valid) {
        return Ok(());
    }
    let output = run(host, &["-q", "update"], &[])?;
    if output.is_success() { Ok(()) } else { Err(said(&output).join("\n").into()) }
}

/// What the repositories offer of some packages.
pub(super) fn offers(host: &Host<'_>, names: &[&str], from: Option<&str>) -> Result<Offers, Failed> {
    let mut arguments = vec!["-q".to_owned(), "policy".to_owned()];
    arguments.extend(from.map(|from| format!("-oAPT::Default-Release={from}")));
    arguments.push("--".to_owned());
    arguments.extend(names.iter().map(|&name| name.to_owned()));
    let output = host.run(Command::new("apt-cache", arguments).quiet())?;
    if output.is_success() { Ok(parse_policy(&output.stdout)) } else { Err(said(&output).join("\n").into()) }
}

/// Reads what `apt-cache policy` says.
fn parse_policy(text: &str) -> Offers {
    let mut offers: BTreeMap<String, Offer> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            current = Some(offers.entry(name.to_owned()).or_default());
            continue;
        }
        let Some(offer) = &mut current else { continue };
        if let Some(candidate) = line.strip_prefix("  Candidate: ") {
            offer.best = Some(candidate.trim().to_owned()).filter(|candidate| candidate != "(none)");
        } else if let Some(version) = line.strip_prefix(" *** ").or_else(|| line.strip_prefix("     "))
            && !version.starts_with(' ')
        {
            // The version, and in newer releases its priority.
            offer.versions.extend(version.split_ascii_whitespace().next().map(str::to_owned));
        }
    }
    Offers(offers)
}

/// Installs packages, all of them at once. Returns what went wrong.
pub(super) fn install(
    host: &Host<'_>,
    packages: &Packages,
    targets: &[Target],
    changes_held: bool,
    options: &Options,
) -> Result<Vec<String>, Failed> {
    let permissions = permissions(targets, changes_held, options, &packages.version("apt"));
    // What an interrupted call has unpacked a part of, `apt-get` leaves as it is unless it is told to do it again.
    let is_part = targets.iter().any(|target| packages.has_part_of(&target.name));
    let mut arguments = install_arguments(targets, &permissions, options);
    if is_part && !arguments.iter().any(|argument| argument == "--reinstall") {
        arguments.insert(0, "--reinstall".to_owned());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ok(said(&change(host, &arguments, &options.environment)?))
}

fn install_arguments(targets: &[Target], permissions: &[&str], options: &Options) -> Vec<String> {
    let mut arguments = usual_arguments(options);
    arguments.extend(permissions.iter().map(|&permission| permission.to_owned()));
    let of_files = targets.iter().any(|target| matches!(target.what, What::File(_)));
    match options.recommends {
        Some(true) => arguments.push("--install-recommends".to_owned()),
        Some(false) => arguments.push("--no-install-recommends".to_owned()),
        None => {}
    }
    let flags = [
        (options.only_upgrade, "--only-upgrade"),
        (options.skip_verify, "--allow-unauthenticated"),
        (options.download_only, "--download-only"),
        (!of_files && targets.iter().any(|target| target.how == How::Again), "--reinstall"),
    ];
    arguments.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.to_owned()));
    if let Some(from) = options.from.as_ref().filter(|_| !of_files) {
        arguments.extend(["-t".to_owned(), from.clone()]);
    }
    arguments.extend(["install".to_owned(), "--".to_owned()]);
    arguments.extend(targets.iter().map(|target| match &target.what {
        What::Best => target.name.clone(),
        What::Version(version) => format!("{}={version}", target.name),
        What::File(path) => path.clone(),
    }));
    arguments
}

/// What every call has that changes packages.
fn usual_arguments(options: &Options) -> Vec<String> {
    let mut arguments = vec!["-q".to_owned(), "-y".to_owned()];
    let settings: &[&str] = if options.new_settings { &["confnew"] } else { &["confold", "confdef"] };
    for setting in settings {
        arguments.extend(["-o".to_owned(), format!("DPkg::Options::=--force-{setting}")]);
    }
    arguments
}

/// What `apt-get` has to be allowed. Before 1.1 there was one option for everything.
fn permissions(targets: &[Target], changes_held: bool, options: &Options, version: &str) -> Vec<&'static str> {
    let goes_back = targets.iter().any(|target| target.how == How::Back);
    if crate::formula::debian_order(version, "1.1~") == Some(Ordering::Less) && !version.is_empty() {
        let needed = options.force || goes_back || changes_held;
        return if needed { vec!["--force-yes"] } else { Vec::new() };
    }
    let permissions = [
        (goes_back || options.allow_downgrades, "--allow-downgrades"),
        (changes_held, "--allow-change-held-packages"),
        (false, "--allow-remove-essential"),
        (false, "--allow-unauthenticated"),
    ];
    permissions.into_iter().filter(|(is_set, _)| *is_set || options.force).map(|(_, permission)| permission).collect()
}

/// Removes packages, and with `purge` their settings. Returns what went wrong.
pub(super) fn remove(host: &Host<'_>, names: &[String], purge: bool, options: &Options) -> Result<Vec<String>, Failed> {
    let mut arguments = vec!["-q", "-y", if purge { "purge" } else { "remove" }, "--"];
    arguments.extend(names.iter().map(String::as_str));
    Ok(said(&change(host, &arguments, &options.environment)?))
}

/// Says what is to become of packages.
pub(super) fn select(host: &Host<'_>, names: &[&str], selection: &str) -> Result<(), Failed> {
    let lines = names.iter().fold(String::new(), |lines, name| lines + name + " " + selection + "\n");
    let output = host.run_alone(|| Command::new("dpkg", ["--set-selections"]).stdin(lines.as_bytes()).quiet())?;
    if output.is_success() { Ok(()) } else { Err(output.why().into()) }
}

/// The packages that an upgrade of everything brings, with their new versions.
pub(super) fn upgrades(
    host: &Host<'_>,
    dist_upgrade: bool,
    options: &Options,
) -> Result<BTreeMap<String, String>, Failed> {
    let mut arguments = vec!["--just-print".to_owned(), upgrade_word(dist_upgrade).to_owned()];
    arguments.extend(options.from.iter().map(|from| format!("-oAPT::Default-Release={from}")));
    let output = host.run(Command::new("apt-get", arguments).quiet())?;
    if !output.is_success() {
        return Err(format!("Failed to get upgrades: {}", said(&output).join("\n")).into());
    }
    Ok(parse_upgrades(&output.stdout))
}

/// Reads `Conf NAME (VERSION …)` of what `apt-get` would do.
fn parse_upgrades(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("Conf ")?.split_once(" (")?;
        Some((name.to_owned(), rest.split([' ', ')']).next()?.to_owned()))
    });
    pairs.collect()
}

/// Upgrades these packages, or all.
pub(super) fn upgrade(host: &Host<'_>, only: Option<&[String]>, options: &Options) -> Result<Vec<String>, Failed> {
    let mut arguments = usual_arguments(options);
    let version = host.packages.packages(&DATABASE, || packages(host))?.version("apt");
    arguments.extend(permissions(&[], false, options, &version).into_iter().map(str::to_owned));
    let flags = [(options.skip_verify, "--allow-unauthenticated"), (options.download_only, "--download-only")];
    arguments.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.to_owned()));
    match only {
        Some(names) => {
            arguments.extend(["--only-upgrade", "install", "--"].map(str::to_owned));
            arguments.extend(names.iter().cloned());
        }
        None => arguments.push(upgrade_word(options.dist_upgrade).to_owned()),
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ok(said(&change(host, &arguments, &options.environment)?))
}

fn upgrade_word(dist_upgrade: bool) -> &'static str {
    if dist_upgrade { "dist-upgrade" } else { "upgrade" }
}

/// What a package file says of itself: name and version.
pub(super) fn file_info(host: &Host<'_>, path: &str) -> Result<(String, String), Failed> {
    let arguments = ["--show", "--showformat", "${Package}\n${Version}\n${Architecture}\n", path];
    let output = host.run(Command::new("dpkg-deb", arguments).quiet())?;
    let fields: Vec<&str> = output.stdout.lines().collect();
    let [name, version, architecture] = fields.as_slice() else {
        return Err(format!("Unable to get info for {path}: {}", output.why()).into());
    };
    let native = host.grain("osarch").unwrap_or("amd64");
    let is_foreign = native == "amd64" && *architecture != "all" && *architecture != native;
    let name = if is_foreign { format!("{name}:{architecture}") } else { (*name).to_owned() };
    Ok((name, (*version).to_owned()))
}

/// Runs `apt-get` for a change. What an earlier call left half done, as it was killed, is completed first if `apt-get`
/// will not go on without; that is tried once, and removes nothing.
fn change(host: &Host<'_>, arguments: &[&str], environment: &[(String, String)]) -> Result<Output, Failed> {
    let output = run(host, arguments, environment)?;
    if output.is_success() || !complete(host, &output)? {
        return Ok(output);
    }
    let again = run(host, arguments, environment)?;
    if again.is_success() || !complete(host, &again)? {
        return Ok(again);
    }
    run(host, arguments, environment)
}

/// Completes what was interrupted, if that is what a call failed for. Whether there is hope now.
fn complete(host: &Host<'_>, output: &Output) -> Result<bool, Failed> {
    let configured = if output.stderr.contains("dpkg --configure -a") {
        host.listener().output("dpkg was interrupted before: `dpkg --configure -a`");
        let options = ["--force-confold", "--force-confdef", "--configure", "-a"];
        host.run_alone(|| noninteractive(Command::new("dpkg", options)))?
    } else if output.stderr.contains("fix-broken install") || output.stderr.contains("apt-get -f install") {
        let planned = host.run(Command::new("apt-get", ["--just-print", "-f", "install"]).quiet())?;
        if !planned.is_success() || planned.stdout.lines().any(|line| line.starts_with("Remv ")) {
            return Ok(false);
        }
        host.listener().output("packages were left without what they depend on: `apt-get -f install`");
        let mut arguments = usual_arguments(&Options::default());
        arguments.extend(["-f", "install"].map(str::to_owned));
        host.run_alone(|| noninteractive(Command::new("apt-get", &arguments)))?
    } else {
        return Ok(false);
    };
    Ok(configured.is_success())
}

fn run(host: &Host<'_>, arguments: &[&str], environment: &[(String, String)]) -> Result<Output, Failed> {
    host.run_alone(|| {
        let command = noninteractive(Command::new("apt-get", arguments));
        environment.iter().fold(command, |command, (name, value)| command.env(name, value))
    })
}

fn noninteractive(command: Command) -> Command {
    ENVIRONMENT.iter().fold(command, |command, (name, value)| command.env(name, value))
}

/// What a call that failed says of it: its own words, and before them those of `dpkg` and of the scripts of packages,
/// which come by way of standard output.
fn said(output: &Output) -> Vec<String> {
    if output.is_success() {
        return Vec::new();
    }
    let mut lines = output.stdout.lines().peekable();
    let mut of_dpkg = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("dpkg: error") {
            of_dpkg.push(line.trim_end());
            while let Some(more) = lines.next_if(|line| line.starts_with(' ')) {
                of_dpkg.push(more.trim_end());
            }
        }
    }
    let ended = if output.code < 0 { format!("apt-get was ended by signal {}", -output.code) } else { String::new() };
    let errors = [of_dpkg.join("\n"), output.stderr.trim().to_owned(), ended];
    let errors: Vec<String> = errors.into_iter().filter(|text| !text.is_empty()).collect();
    if errors.is_empty() { vec![output.why()] } else { errors }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str, what: What, how: How) -> Target {
        Target { name: name.to_owned(), what, how }
    }

    #[test]
    fn a_policy_says_what_would_be_installed_and_what_else_there_is() {
        let text = "\
agent:
  Installed: 3.0.2
  Candidate: 3.1.1
  Version table:
     3.1.1 500
        500 http://198.18.0.1 ./ Packages
 *** 3.0.2 500
        500 http://198.18.0.1 ./ Packages
        100 /var/lib/dpkg/status
mail:
  Installed: (none)
  Candidate: (none)
  Version table:
";
        let offers = parse_policy(text);
        assert_eq!(offers.best("agent"), Some("3.1.1"));
        assert_eq!(offers.versions("agent"), ["3.1.1", "3.0.2"]);
        assert_eq!((offers.best("mail"), offers.best("nothing")), (None, None));
    }

    #[test]
    fn one_call_installs_everything() {
        let targets = [target("one", What::Best, How::Forward), target("two", What::Version("1.2".into()), How::Back)];
        let options = Options { from: Some("stretch".into()), recommends: Some(false), ..Options::default() };
        let permissions = permissions(&targets, false, &options, "2.6.1");
        assert_eq!(
            install_arguments(&targets, &permissions, &options).join(" "),
            "-q -y -o DPkg::Options::=--force-confold -o DPkg::Options::=--force-confdef --allow-downgrades \
             --no-install-recommends -t stretch install -- one two=1.2"
        );
    }

    #[test]
    fn nothing_is_allowed_that_is_not_needed() {
        let forward = [target("one", What::Best, How::Forward)];
        let again = [target("one", What::Best, How::Again)];
        let (plain, force) = (Options::default(), Options { force: true, ..Options::default() });
        assert!(permissions(&forward, false, &plain, "2.6.1").is_empty());
        assert!(permissions(&forward, false, &plain, "1.0.1ubuntu2").is_empty());
        assert_eq!(permissions(&forward, true, &plain, "2.6.1"), ["--allow-change-held-packages"]);
        assert_eq!(permissions(&forward, true, &plain, "1.0.1ubuntu2"), ["--force-yes"]);
        assert_eq!(permissions(&forward, false, &force, "2.6.1").len(), 4);
        assert!(install_arguments(&again, &[], &plain).contains(&"--reinstall".to_owned()));
    }

    #[test]
    fn upgrades_are_what_would_be_configured() {
        let text = "Inst libc6 [1] (2 Debian:12 [amd64])\nConf libc6 (2 Debian:12 [amd64])\nConf tiny (1.0)\n";
        let upgrades: Vec<_> = parse_upgrades(text).into_iter().collect();
        assert_eq!(upgrades, [("libc6".into(), "2".into()), ("tiny".into(), "1.0".into())]);
    }

    #[test]
    fn a_failure_is_told_in_the_words_of_dpkg() {
        let output = Output {
            code: 100,
            stdout: "Setting up x (1) ...\ndpkg: error processing package x (--configure):\n it returned 1\nDone\n"
                .into(),
            stderr: "E: Sub-process /usr/bin/dpkg returned an error code (1)\n".into(),
            ..Output::default()
        };
        assert_eq!(
            said(&output),
            [
                "dpkg: error processing package x (--configure):\n it returned 1",
                "E: Sub-process /usr/bin/dpkg returned an error code (1)"
            ]
        );
    }
}
