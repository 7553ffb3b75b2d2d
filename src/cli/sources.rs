//! Where the formulas and the pillar of a pipeline come from: what it installs and pulls, at the commits that its plan
//! pins, and the folders that it names.

use std::collections::HashMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use crate::agent::git;
use crate::engine::supply::Supply;
use crate::error::{Error, Result};
use crate::formula::roots::{Directory, Git, Package, Root, Roots};
use crate::model::address::redact;
use crate::model::hash::Hash;
use crate::model::nearest::nearest;
use crate::model::pipeline::{Install, Origin, Pipeline, StepKind};
use crate::model::plan::{self, Action, Plan};

/// Commits that revisions were found to name: what is read and what is pulled is the same.
#[derive(Debug)]
pub(super) struct Commits {
    known: HashMap<(String, String), String>,
    /// Nobody is asked; what is not known is left out.
    offline: bool,
}

impl Commits {
    /// Those that repositories have now.
    pub(super) fn newest() -> Self {
        Self { known: HashMap::new(), offline: false }
    }

    /// Those that an earlier plan pinned.
    pub(super) fn of(plan: &Plan) -> Self {
        let units = plan.stages.iter().flat_map(|stage| &stage.steps).flat_map(|step| &step.units);
        let pins = units.filter_map(|unit| match &unit.action {
            Action::Pull { repo, rev, commit, .. } => Some((repo, rev, commit)),
            Action::Install(install) => match &install.from {
                plan::Origin::Git { repo, rev, commit } => Some((repo, rev, commit)),
                plan::Origin::Folder(_) | plan::Origin::Package(_) => None,
            },
            _ => None,
        });
        let known = pins.map(|(repo, rev, commit)| ((repo.to_string(), rev.clone()), commit.clone())).collect();
        Self { known, offline: false }
    }

    /// None: what others have is not asked for.
    pub(super) fn offline() -> Self {
        Self { known: HashMap::new(), offline: true }
    }

    /// The commit that a revision names.
    pub(super) fn find(&mut self, repo: &str, rev: &str) -> Result<String> {
        if self.offline {
            return Ok("0".repeat(40));
        }
        let key = (redact(repo), rev.to_owned());
        if let Some(commit) = self.known.get(&key) {
            return Ok(commit.clone());
        }
        let commit = git::resolve(repo, rev)?;
        self.known.insert(key, commit.clone());
        Ok(commit)
    }

    /// What a repository has at a revision; nothing offline.
    pub(super) fn read(&mut self, repo: &str, rev: &str) -> Result<Option<Git>> {
        if self.offline {
            return Ok(None);
        }
        let commit = self.find(repo, rev)?;
        git_at(repo, &commit).map(Some)
    }
}

/// A repository at a commit, by way of a copy in the project's own folder.
pub(super) fn git_at(repo: &str, commit: &str) -> Result<Git> {
    let copy = Utf8PathBuf::from(format!(".upshift/git/{}", Hash::of(repo.as_bytes())));
    fs_err::create_dir_all(&copy)?;
    git::mirror(repo, commit, &copy)?;
    Ok(Git::open(copy.as_std_path(), commit, &format!("{} at {commit}", redact(repo)))?)
}

/// The formulas and the pillar of a pipeline; `None` if it says nothing of formulas.
pub(super) fn supply(pipeline: &Pipeline, commits: &mut Commits) -> Result<Option<Supply>> {
    let kinds = pipeline.stages.iter().flat_map(|stage| &stage.steps).map(|step| &step.kind);
    let installs: Vec<_> =
        kinds.filter_map(|kind| if let StepKind::Install(install) = kind { Some(install) } else { None }).collect();
    let named = &pipeline.formulas;
    if installs.is_empty() && named.roots.is_empty() {
        return Ok(None);
    }
    let mut formulas = Vec::new();
    for install in installs {
        formulas.push(installed(install, commits)?);
    }
    for folder in &named.roots {
        formulas.push(at(pipeline, "formulas", folder, commits)?);
    }
    let is_whole = formulas.iter().all(Option::is_some);
    let formulas = Roots(formulas.into_iter().flatten().collect());
    if is_whole {
        every_sls_is_there(pipeline, &formulas)?;
    }
    let mut pillar: Vec<Arc<dyn Root>> = Vec::new();
    for folder in &named.pillar {
        pillar.extend(at(pipeline, "pillar files", folder, commits)?);
    }
    let pillar = (!named.pillar.is_empty()).then_some(Roots(pillar));
    Supply::new(&formulas, pillar, named.secret.clone()).map(Some)
}

/// Refuses steps that apply what no formula has, before any host is asked.
fn every_sls_is_there(pipeline: &Pipeline, formulas: &Roots) -> Result<()> {
    let steps = pipeline.stages.iter().flat_map(|stage| &stage.steps);
    let kinds = steps.flat_map(|step| std::iter::once(&step.kind).chain(step.undo.kinds()));
    let applied = kinds.filter_map(|kind| if let StepKind::Apply { sls, .. } = kind { Some(sls) } else { None });
    for name in applied.flatten() {
        sls_is_there(formulas, &name.source).map_err(|error| error.at(&name.place))?;
    }
    Ok(())
}

/// Refuses the name of an SLS that no formula has, where the name is known as yet.
pub(super) fn sls_is_there(formulas: &Roots, name: &str) -> Result<()> {
    if name.contains(['{', '*', '?', '[']) || formulas.has_sls(name)? {
        return Ok(());
    }
    let error = Error::usage(format!("no formula has an SLS `{name}`"));
    let names = formulas.sls_names()?;
    Err(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    })
}

/// The files that an `install` step brings, once they have its formula.
fn installed(install: &Install, commits: &mut Commits) -> Result<Option<Arc<dyn Root>>> {
    let Install { formula, from, place } = install;
    let root: Option<Arc<dyn Root>> = match from {
        Origin::Git { repo, rev } => {
            commits.read(repo, rev).map_err(|error| error.at(place))?.map(|git| Arc::new(git) as _)
        }
        Origin::Folder(folder) => Some(Arc::new(folder_root("formulas", folder).map_err(|error| error.at(place))?)),
        Origin::Package(package) => {
            Some(Arc::new(Package::open(package).map_err(|error| Error::usage(format!("{place}: {error}")))?))
        }
    };
    let Some(root) = root else { return Ok(None) };
    if root.below(formula)?.is_empty() && !root.has(&format!("{formula}.sls"))? {
        let message = format!("{place}: {} has no formula `{formula}`", root.name());
        return Err(Error::usage(message).hint(format!("it would be in a folder `{formula}`, beside no other level")));
    }
    Ok(Some(root))
}

/// The files of a folder that the pipeline names: as a stage will pull it, or as it is.
fn at(pipeline: &Pipeline, what: &str, folder: &Utf8Path, commits: &mut Commits) -> Result<Option<Arc<dyn Root>>> {
    let kinds = pipeline.stages.iter().flat_map(|stage| &stage.steps).map(|step| &step.kind);
    let mut pulled = kinds.filter_map(|kind| match kind {
        StepKind::Pull { repo, rev, into } => Some((repo, rev, folder.strip_prefix(&into.source).ok()?)),
        _ => None,
    });
    let Some((repo, rev, inside)) = pulled.next_back() else {
        return Ok(Some(Arc::new(folder_root(what, folder)?)));
    };
    if let Some(text) = [repo, rev].into_iter().find(|text| text.source.contains("{{")) {
        return Err(Error::usage(format!(
            "{}: `{folder}` has {what}, which are read before anything runs",
            text.place
        ))
        .hint("write the address and the revision of this pull without templates"));
    }
    let Some(git) = commits.read(&repo.source, &rev.source)? else { return Ok(None) };
    Ok(Some(Arc::new(git.inside(inside.as_str()))))
}

fn folder_root(what: &str, folder: &Utf8Path) -> Result<Directory> {
    if folder.is_dir() {
        return Ok(Directory(folder.into()));
    }
    Err(Error::usage(format!("`{folder}` is not a folder of {what}"))
        .hint("`formulas` and `pillar` below `[pipeline]` name folders of the project, or what a `pull` brings"))
}
