//! `dnf`, or `yum` where that is what there is, and `rpm`.
//!
//! `dnf` was tried beside real Salt (`tests/states/families/dnf.yaml`). What is for `dnf5` and `yum` was written from Salt's
//! source and from what these programs are documented to say.

use std::collections::BTreeMap;

use super::database::Packages;
use super::manager::{How, Offer, Offers, Options, Target, What};
use crate::states::{Command, Failed, Host, Output};

/// The files that change with what is installed, wherever they are.
pub(super) const DATABASE: [&str; 5] = [
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
];

const FORMAT: &str = "%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n";

/// What `rpm` says of every package.
pub(super) fn packages(host: &Host<'_>) -> Result<Packages, Failed> {
    let arguments = ["-qa", "--nodigest", "--nosignature", "--queryformat", FORMAT];
    let output = host.run(Command::new("rpm", arguments).quiet())?;
    if !output.is_success() {
        return Err(format!("cannot list the packages: {}", output.why()).into());
    }
    Ok(parse_packages(&output.stdout, host.grain("osarch").unwrap_or_default()))
}

fn parse_packages(text: &str, native: &str) -> Packages {
    let all: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, epoch, version, release, architecture] = fields.as_slice() else { return None };
            let name = named(name, architecture, native);
            let epoch = if *epoch == "0" { String::new() } else { format!("{epoch}:") };
            Some((name, format!("{epoch}{version}-{release}")))
        })
        .collect();
    Packages::installed(all.iter().map(|(name, version)| (name.as_str(), version.clone())))
}

/// A package of another architecture than the host's has it in its name.
fn named(name: &str, architecture: &str, native: &str) -> String {
    let is_32 = |architecture: &str| matches!(architecture, "i386" | "i486" | "i586" | "i686");
    let goes_without_saying =
        ["noarch", "(none)", native].contains(&architecture) || (is_32(architecture) && is_32(native));
    if goes_without_saying { name.to_owned() } else { format!("{name}.{architecture}") }
}

/// Fetches the lists of the repositories. It may fail as long as what is to be installed is found.
pub(super) fn refresh(host: &Host<'_>) -> Result<(), Failed> {
    for arguments in
        [["--quiet", "--assumeyes", "clean", "expire-cache"].as_slice(), &["--quiet", "--assumeyes", "check-update"]]
    {
        host.run(Command::new(program(), arguments))?;
    }
    Ok(())
}

/// What the repositories offer of some packages.
pub(super) fn offers(host: &Host<'_>, names: &[&str], options: &Options) -> Result<Offers, Failed> {
    let mut arguments = vec!["--quiet".to_owned()];
    arguments.extend(repositories(options));
    arguments.extend(["list", "--showduplicates", "available"].map(str::to_owned));
    if program() == "dnf5" {
        arguments =
            arguments.into_iter().map(|word| if word == "available" { "--available".into() } else { word }).collect();
    }
    arguments.extend(names.iter().map(|&name| name.to_owned()));
    // It fails if there is nothing.
    let output = host.run(Command::new(program(), arguments).quiet())?;
    Ok(parse_list(&output.stdout, host.grain("osarch").unwrap_or_default()))
}

/// Reads `NAME.ARCH VERSION REPOSITORY`, which is broken into several lines if it is long.
fn parse_list(text: &str, native: &str) -> Offers {
    let mut offers: BTreeMap<String, Offer> = BTreeMap::new();
    let is_heading =
        |line: &&str| line.ends_with(" Packages") || line.ends_with(" packages") || line.ends_with(" upgrades");
    let words: Vec<&str> =
        text.lines().filter(|line| !is_heading(line)).flat_map(str::split_ascii_whitespace).collect();
    for entry in words.chunks_exact(3) {
        let (name, architecture) = entry[0].rsplit_once('.').unwrap_or((entry[0], native));
        let version = entry[1].trim_end_matches('-').to_owned();
        offers.entry(named(name, architecture, native)).or_default().versions.push(version);
    }
    for offer in offers.values_mut() {
        let order =
            |one: &String, two: &String| crate::formula::rpm_order(two, one).unwrap_or(std::cmp::Ordering::Equal);
        offer.versions.sort_by(order);
        offer.versions.dedup();
        offer.best = offer.versions.first().cloned();
    }
    Offers(offers)
}

/// Installs packages. What goes back or is installed again takes a call of its own, as there is no word for all.
pub(super) fn install(host: &Host<'_>, targets: &[Target], options: &Options) -> Result<Vec<String>, Failed> {
    let mut errors = Vec::new();
    for (how, word) in [(How::Forward, "install"), (How::Back, "downgrade"), (How::Again, "reinstall")] {
        let some: Vec<&Target> = targets.iter().filter(|target| target.how == how).collect();
        if !some.is_empty() {
            let arguments = install_arguments(word, &some, program(), options);
            errors.extend(failed(&change(host, &arguments, options)?));
        }
    }
    Ok(errors)
}

fn install_arguments(word: &str, targets: &[&Target], program: &str, options: &Options) -> Vec<String> {
    let mut arguments = vec!["-y".to_owned()];
    let insists = word == "install" && matches!(program, "dnf" | "dnf5");
    if insists && program == "dnf" {
        arguments.extend(["--best", "--allowerasing"].map(str::to_owned));
    }
    arguments.extend(repositories(options));
    let downloads = options.download_only && program != "dnf5";
    let flags = [(options.skip_verify, "--nogpgcheck"), (downloads, "--downloadonly")];
    arguments.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.to_owned()));
    arguments.push(word.to_owned());
    if insists && program == "dnf5" {
        arguments.extend(["--best", "--allowerasing"].map(str::to_owned));
    }
    arguments.extend(targets.iter().map(|target| match &target.what {
        What::Best => target.name.clone(),
        What::Version(version) => {
            format!("{}-{}", target.name, version.split_once(':').map_or(version.as_str(), |(_, rest)| rest))
        }
        What::File(path) => path.clone(),
    }));
    arguments
}

/// Removes packages.
pub(super) fn remove(host: &Host<'_>, names: &[String]) -> Result<Vec<String>, Failed> {
    let mut arguments = vec!["-y".to_owned(), "remove".to_owned()];
    arguments.extend(names.iter().cloned());
    Ok(failed(&change(host, &arguments, &Options::default())?))
}

/// Holds packages where they are, or lets them go, by way of the plugin `versionlock`.
pub(super) fn select(host: &Host<'_>, names: &[&str], selection: &str) -> Result<(), Failed> {
    let word = if selection == "hold" { "add" } else { "delete" };
    let arguments: Vec<&str> = ["versionlock", word].into_iter().chain(names.iter().copied()).collect();
    let output = host.run(Command::new(program(), arguments))?;
    if output.is_success() { Ok(()) } else { Err(output.why().into()) }
}

/// The packages that the plugin `versionlock` holds; none if it is not there.
pub(super) fn held(host: &Host<'_>) -> Vec<String> {
    parse_locks(&host.ask(program(), &["versionlock", "list"]).unwrap_or_default())
}

/// Reads `NAME-EPOCH:VERSION-RELEASE.*`, with `yum` `EPOCH:NAME-VERSION-RELEASE.*`.
fn parse_locks(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.trim();
        let line = match line.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => line,
        };
        let mut parts = line.rsplitn(3, '-');
        let (release, version) = (parts.next()?, parts.next()?);
        let is_lock = release.ends_with(".*") && version.contains(|c: char| c.is_ascii_digit());
        parts.next().filter(|name| is_lock && !name.contains(' ')).map(str::to_owned)
    };
    text.lines().filter_map(name).collect()
}

/// The packages that an upgrade of everything brings, with their new versions.
pub(super) fn upgrades(host: &Host<'_>, options: &Options) -> Result<BTreeMap<String, String>, Failed> {
    let mut arguments = vec!["--quiet".to_owned()];
    arguments.extend(repositories(options));
    arguments.extend(["list", if program() == "yum" { "updates" } else { "--upgrades" }].map(str::to_owned));
    let output = host.run(Command::new(program(), arguments).quiet())?;
    let offers = parse_list(&output.stdout, host.grain("osarch").unwrap_or_default());
    Ok(offers.0.into_iter().filter_map(|(name, offer)| Some((name, offer.best?))).collect())
}

/// Upgrades these packages, or all.
pub(super) fn upgrade(host: &Host<'_>, only: Option<&[String]>, options: &Options) -> Result<Vec<String>, Failed> {
    let mut arguments = vec!["--quiet".to_owned(), "-y".to_owned()];
    arguments.extend(repositories(options));
    arguments.extend(options.skip_verify.then(|| "--nogpgcheck".to_owned()));
    arguments.push("upgrade".to_owned());
    arguments.extend(only.unwrap_or_default().iter().cloned());
    Ok(failed(&change(host, &arguments, options)?))
}

/// What a package file says of itself: name and version.
pub(super) fn file_info(host: &Host<'_>, path: &str) -> Result<(String, String), Failed> {
    let output = host.run(Command::new("rpm", ["-qp", "--queryformat", FORMAT, path]).quiet())?;
    let packages = parse_packages(&output.stdout, host.grain("osarch").unwrap_or_default());
    let only = packages.only().ok_or_else(|| format!("Unable to get info for {path}: {}", output.why()))?;
    Ok(only)
}

fn repositories(options: &Options) -> Vec<String> {
    let only = options.from.iter().flat_map(|from| ["--disablerepo=*".to_owned(), format!("--enablerepo={from}")]);
    only.chain(options.repositories.iter().cloned()).collect()
}

fn change(host: &Host<'_>, arguments: &[String], options: &Options) -> Result<Output, Failed> {
    let command = Command::new(program(), arguments).merged();
    host.run(options.environment.iter().fold(command, |command, (name, value)| command.env(name, value)))
}

fn failed(output: &Output) -> Vec<String> {
    if output.is_success() { Vec::new() } else { vec![output.stdout.clone()] }
}

/// The newest one that is there.
fn program() -> &'static str {
    let is_there = |name: &&str| {
        ["/usr/bin", "/bin"].iter().any(|folder| std::fs::exists(format!("{folder}/{name}")).is_ok_and(|is| is))
    };
    ["dnf5", "dnf", "yum"].into_iter().find(is_there).unwrap_or("yum")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_an_epoch_and_an_architecture_only_where_that_says_something() {
        let text = "bash\t0\t5.1.8\t6.el9\tx86_64\nvim\t2\t8.2\t1.el9\tx86_64\nglibc\t0\t2.34\t1\ti686\nkernel\t0\t5\t2\tx86_64\nkernel\t0\t5\t1\tx86_64\n";
        let packages = parse_packages(text, "x86_64");
        assert_eq!(packages.version("bash"), "5.1.8-6.el9");
        assert_eq!(packages.version("vim"), "2:8.2-1.el9");
        assert_eq!(packages.version("glibc.i686"), "2.34-1");
        assert_eq!(packages.versions("kernel"), ["5-1", "5-2"]);
    }

    #[test]
    fn a_list_has_long_names_on_lines_of_their_own() {
        let text = "Available Packages\nbash.x86_64   5.1.8-6.el9  baseos\nbash.x86_64   5.1.8-9.el9  updates\n\
                    a-very-long-name-of-a-package.noarch\n              2:1.0-1.el9   appstream\n";
        let offers = parse_list(text, "x86_64");
        assert_eq!(offers.best("bash"), Some("5.1.8-9.el9"));
        assert_eq!(offers.versions("bash"), ["5.1.8-9.el9", "5.1.8-6.el9"]);
        assert_eq!(offers.best("a-very-long-name-of-a-package"), Some("2:1.0-1.el9"));
    }

    #[test]
    fn locks_are_read_as_dnf_and_yum_write_them() {
        let text = "Last metadata expiration check: 0:01:02 ago on Mon.\nbash-0:5.1.8-6.el9.*\n0:vim-common-8.2-1.el7.*\n\
                    versionlock list done\n";
        assert_eq!(parse_locks(text), ["bash", "vim-common"]);
    }

    #[test]
    fn a_version_is_asked_for_without_its_epoch() {
        let target = Target { name: "vim".into(), what: What::Version("2:8.2-1".into()), how: How::Forward };
        let options = Options { from: Some("updates".into()), skip_verify: true, ..Options::default() };
        let line = |program| install_arguments("install", &[&target], program, &options).join(" ");
        assert_eq!(
            line("dnf"),
            "-y --best --allowerasing --disablerepo=* --enablerepo=updates --nogpgcheck install vim-8.2-1"
        );
        assert_eq!(line("yum"), "-y --disablerepo=* --enablerepo=updates --nogpgcheck install vim-8.2-1");
    }
}
