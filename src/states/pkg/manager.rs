//! The package manager of a host, `apt` or `dnf`: what the states ask of it in the same words.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::database::{Lists, Packages};
use super::version::Comparison;
use super::{apt, yum};
use crate::formula::Data;
use crate::states::arguments::text;
use crate::states::{Args, Failed, Host};

/// The package manager of a host.
#[derive(Clone, Copy)]
pub(in crate::states) struct Manager<'a> {
    pub(super) host: &'a Host<'a>,
    pub(super) kind: Kind,
}

/// Which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::states) enum Kind {
    /// `apt-get` and `dpkg`.
    Apt,
    /// `dnf` or `yum` and `rpm`.
    Yum,
}

/// What a state says of how packages are to be installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that a state has or has not")]
pub(super) struct Options {
    /// The only release or repository that they may come from.
    pub(super) from: Option<String>,
    pub(super) skip_verify: bool,
    pub(super) force: bool,
    pub(super) new_settings: bool,
    pub(super) recommends: Option<bool>,
    pub(super) only_upgrade: bool,
    pub(super) download_only: bool,
    pub(super) dist_upgrade: bool,
    /// `apt`'s `--allow-downgrades`.
    pub(super) allow_downgrades: bool,
    /// What `dnf` is told of its repositories.
    pub(super) repositories: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
}

/// One package that is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) what: What,
    pub(super) how: How,
}

/// What of it is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// What the package manager finds best.
    Best,
    /// This version.
    Version(String),
    /// The package in this file.
    File(String),
}

/// What happens to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// There is nothing, or something older.
    Forward,
    /// There is something newer.
    Back,
    /// It is there already.
    Again,
}

/// What the repositories offer of some packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offers(pub(super) BTreeMap<String, Offer>);

/// What they offer of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// The version that would be installed.
    pub(super) best: Option<String>,
    /// All that there are, the newest first.
    pub(super) versions: Vec<String>,
}

impl Offers {
    /// The version of a package that would be installed.
    pub(super) fn best(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.best.as_deref()
    }

    /// All versions of a package, the newest first.
    pub(super) fn versions(&self, name: &str) -> &[String] {
        self.0.get(name).map(|offer| offer.versions.as_slice()).unwrap_or_default()
    }
}

impl Options {
    /// Reads them from what a state says.
    pub(super) fn read(args: Args<'_>) -> Result<Self, Failed> {
        let from = args.text("fromrepo")?.or(args.text("repo")?).filter(|from| !from.is_empty());
        let mut repositories = Vec::new();
        for (key, option) in [("disablerepo", "--disablerepo"), ("enablerepo", "--enablerepo")] {
            if from.is_none() {
                repositories.extend(args.texts(key)?.iter().map(|name| format!("{option}={name}")));
            }
        }
        for (key, option) in [("disableexcludes", "--disableexcludes"), ("setopt", "--setopt")] {
            repositories.extend(args.texts(key)?.iter().map(|value| format!("{option}={value}")));
        }
        Ok(Self {
            from,
            skip_verify: args.flag("skip_verify", false),
            force: args.flag("force_yes", false),
            new_settings: args.flag("force_conf_new", false),
            recommends: args.chunk().get("install_recommends").map(Data::is_true),
            only_upgrade: args.flag("only_upgrade", false),
            download_only: args.flag("download_only", false) || args.flag("downloadonly", false),
            dist_upgrade: args.flag("dist_upgrade", false),
            allow_downgrades: args.flag("allow_downgrades", false),
            repositories,
            environment: environment(args)?,
        })
    }
}

/// The variables of `env`: a mapping, or a list of mappings.
fn environment(args: Args<'_>) -> Result<Vec<(String, String)>, Failed> {
    let dicts = match args.get("env") {
        None => return Ok(Vec::new()),
        Some(Data::List(items)) => items.iter().map(Data::as_dict).collect(),
        Some(value) => value.as_dict().map(|dict| vec![dict]),
    };
    let entries = dicts.ok_or("`env` has to be a mapping, or a list of mappings")?;
    let entries = entries.into_iter().flat_map(|dict| &dict.entries);
    let pairs = entries.map(|(name, value)| Some((text(name)?, text(value)?)));
    pairs.collect::<Option<_>>().ok_or_else(|| "the values of `env` have to be text".into())
}

impl<'a> Manager<'a> {
    /// The one of a host.
    pub(in crate::states) fn of(host: &'a Host<'a>) -> Result<Self, Failed> {
        let kind = match host.grain("os_family") {
            Some("Debian") => Kind::Apt,
            Some("RedHat") => Kind::Yum,
            other => {
                let family = other.unwrap_or("unknown");
                return Err(format!("upshift cannot install packages on hosts of the family {family}").into());
            }
        };
        Ok(Self { host, kind })
    }

    /// Whether it is `apt`.
    pub(in crate::states) fn is_apt(self) -> bool {
        self.kind == Kind::Apt
    }

    /// What is installed.
    pub(super) fn packages(self) -> Result<Arc<Packages>, Failed> {
        let memory = &self.host.packages;
        match self.kind {
            Kind::Apt => memory.packages(&apt::DATABASE, || apt::packages(self.host)),
            Kind::Yum => memory.packages(&yum::DATABASE, || yum::packages(self.host)),
        }
    }

    /// How versions are compared here.
    pub(super) fn comparison(self, ignore_epoch: Option<bool>) -> Comparison {
        let order = match self.kind {
            Kind::Apt => crate::formula::debian_order,
            Kind::Yum => crate::formula::rpm_order,
        };
        Comparison { order, ignore_epoch }
    }

    /// A name without an architecture that goes without saying.
    pub(super) fn normalized(self, name: &str) -> &str {
        let separator = if self.kind == Kind::Apt { ':' } else { '.' };
        let native = self.host.grain("osarch").unwrap_or_default();
        let plain = |architecture: &str| match self.kind {
            Kind::Apt => ["all", "any", native].contains(&architecture),
            Kind::Yum => ["noarch", native].contains(&architecture),
        };
        name.rsplit_once(separator).filter(|(_, architecture)| plain(architecture)).map_or(name, |(name, _)| name)
    }

    /// Notes that a state installs packages. The first one in a run has the lists fetched, as the ones after it do not.
    pub(super) fn begins(self) {
        let mut lists = self.host.packages.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if *lists == Lists::Untouched {
            *lists = Lists::Due;
        }
    }

    /// Whether a state's `refresh` asks for the lists to be fetched.
    pub(super) fn is_refresh_due(self, args: Args<'_>) -> bool {
        let is_due = *self.host.packages.lists.lock().unwrap_or_else(PoisonError::into_inner) == Lists::Due;
        match args.get("refresh") {
            None => is_due,
            Some(refresh) => is_true(refresh) || (is_due && *refresh != Data::Bool(false)),
        }
    }

    /// Fetches the lists of what the repositories offer, unless they were fetched less than `valid` ago.
    pub(in crate::states) fn refresh(self, valid: Duration) -> Result<(), Failed> {
        {
            let mut lists = self.host.packages.lists.lock().unwrap_or_else(PoisonError::into_inner);
            if *lists == Lists::Due {
                *lists = Lists::Fetched;
            }
        }
        match self.kind {
            Kind::Apt => apt::refresh(self.host, valid),
            Kind::Yum => yum::refresh(self.host),
        }
    }

    /// What the repositories offer of some packages.
    pub(super) fn offers(self, names: &[&str], options: &Options) -> Result<Offers, Failed> {
        match self.kind {
            _ if names.is_empty() => Ok(Offers::default()),
            Kind::Apt => apt::offers(self.host, names, options.from.as_deref()),
            Kind::Yum => yum::offers(self.host, names, options),
        }
    }

    /// Installs packages, all of them at once. Returns what went wrong.
    pub(super) fn install(self, targets: &[Target], options: &Options) -> Result<Vec<String>, Failed> {
        let packages = self.packages()?;
        let held = packages.held();
        let held: Vec<&str> =
            held.into_iter().filter(|name| targets.iter().any(|target| target.name == *name)).collect();
        match self.kind {
            Kind::Apt => {
                let errors = apt::install(self.host, &packages, targets, !held.is_empty(), options)?;
                let now = self.packages()?;
                let lost: Vec<&str> = held.into_iter().filter(|name| now.selection(name) == Some("install")).collect();
                self.select(&lost, "hold")?;
                Ok(errors)
            }
            Kind::Yum => yum::install(self.host, targets, options),
        }
    }

    /// Removes packages, and with `purge` their settings. Returns what went wrong.
    pub(super) fn remove(self, names: &[String], purge: bool, options: &Options) -> Result<Vec<String>, Failed> {
        match self.kind {
            Kind::Apt => apt::remove(self.host, names, purge, options),
            Kind::Yum => yum::remove(self.host, names),
        }
    }

    /// The packages that are to stay as they are.
    pub(super) fn held(self) -> Result<Vec<String>, Failed> {
        match self.kind {
            Kind::Apt => Ok(self.packages()?.held().into_iter().map(str::to_owned).collect()),
            Kind::Yum => Ok(yum::held(self.host)),
        }
    }

    /// Says what is to become of packages: `install` or `hold`.
    pub(super) fn select(self, names: &[&str], selection: &str) -> Result<(), Failed> {
        match self.kind {
            _ if names.is_empty() => Ok(()),
            Kind::Apt => apt::select(self.host, names, selection),
            Kind::Yum => yum::select(self.host, names, selection),
        }
    }

    /// The packages that an upgrade of everything brings, with their new versions.
    pub(super) fn upgrades(self, dist_upgrade: bool, options: &Options) -> Result<BTreeMap<String, String>, Failed> {
        match self.kind {
            Kind::Apt => apt::upgrades(self.host, dist_upgrade, options),
            Kind::Yum => yum::upgrades(self.host, options),
        }
    }

    /// Upgrades these packages, or all.
    pub(super) fn upgrade(self, only: Option<&[String]>, options: &Options) -> Result<Vec<String>, Failed> {
        match self.kind {
            Kind::Apt => apt::upgrade(self.host, only, options),
            Kind::Yum => yum::upgrade(self.host, only, options),
        }
    }
}

/// What Salt takes for yes in its settings: also the word, and any number above zero.
pub(in crate::states) fn is_true(value: &Data) -> bool {
    match value {
        Data::Str(text) => match text.trim().parse::<f64>() {
            Ok(number) => number > 0.0,
            Err(_) => text.eq_ignore_ascii_case("true"),
        },
        other => other.is_true(),
    }
}

/// What failed, and why, in the words of Salt.
pub(super) fn problem(what: &str, errors: &[String]) -> Failed {
    let mut comment = format!("{what}. Additional info follows:\n\nerrors:");
    for error in errors {
        for (number, line) in error.trim_end().lines().enumerate() {
            let mark = if number == 0 { "- " } else { "  " };
            comment.extend(["\n    ", mark, line.trim_end()]);
        }
    }
    comment.into()
}
