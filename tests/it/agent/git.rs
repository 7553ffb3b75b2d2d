//! Pulls, from repositories on this machine.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use git2::{Repository, Signature};
use upshift::agent::Order;
use upshift::agent::git::{pull, resolve};
use upshift::model::plan::Action;
use upshift::model::record::End;
use upshift::model::{Address, Outcome};

use super::{Bench, note};

struct Origin<'a> {
    bench: &'a Bench,
    repository: Repository,
}

impl<'a> Origin<'a> {
    fn new(bench: &'a Bench) -> Self {
        let mut options = git2::RepositoryInitOptions::new();
        options.initial_head("main");
        let repository = Repository::init_opts(bench.path("origin"), &options).unwrap();
        let origin = Self { bench, repository };
        origin.commit("one", &[("a", "1"), ("b/c", "1")]);
        origin
    }

    /// Commits files onto `main`, and names the commit.
    fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let parent = self.repository.head().ok().map(|head| head.peel_to_commit().unwrap());
        let mut index = self.repository.index().unwrap();
        for (name, text) in files {
            let path = self.repository.workdir().unwrap().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            index.add_path(Path::new(name)).unwrap();
        }
        index.write().unwrap();
        let tree = self.repository.find_tree(index.write_tree().unwrap()).unwrap();
        let by = Signature::now("ops", "ops@example.net").unwrap();
        let parents: Vec<_> = parent.iter().collect();
        self.repository.commit(Some("refs/heads/main"), &by, &by, message, &tree, &parents).unwrap().to_string()
    }

    fn head(&self) -> git2::Commit<'_> {
        self.repository.head().unwrap().peel_to_commit().unwrap()
    }

    fn address(&self) -> String {
        self.bench.path("origin").into_string()
    }

    fn order(&self, commit: &str) -> Order {
        let action = Action::Pull {
            repo: Address::new(self.address()),
            rev: "main".into(),
            commit: commit.into(),
            into: "model".into(),
        };
        self.bench.order(action)
    }

    fn pull(&self, commit: &str) -> End {
        pull(&self.order(commit), &AtomicBool::new(false))
    }
}

#[test]
fn a_branch_a_tag_and_a_commit_resolve_to_commits() {
    let bench = Bench::new();
    let origin = Origin::new(&bench);
    let first = origin.head();
    let by = Signature::now("ops", "ops@example.net").unwrap();
    origin.repository.tag("v1", first.as_object(), &by, "annotated", false).unwrap();
    origin.repository.tag_lightweight("v1-light", first.as_object(), false).unwrap();
    origin.repository.branch("release/3.1.1", &first, false).unwrap();
    let second = origin.commit("two", &[("a", "2")]);
    let first = first.id().to_string();
    let address = origin.address();
    for (rev, commit) in [
        ("main", &second),
        ("HEAD", &second),
        ("v1", &first),
        ("refs/tags/v1", &first),
        ("v1-light", &first),
        ("release/3.1.1", &first),
        (first.as_str(), &first),
    ] {
        assert_eq!(&resolve(&address, rev).unwrap(), commit, "{rev}");
        assert_eq!(&resolve(&format!("file://{address}"), rev).unwrap(), commit, "{rev}");
    }
    let error = resolve(&address, "release/3.1.2").unwrap_err();
    assert_eq!(error.message, format!("`{address}` has no branch or tag `release/3.1.2`"));
    assert!(error.hint.unwrap().starts_with("did you mean `release/3.1.1`? The repository has: release/3.1.1, "));
    let error = resolve(bench.path("nowhere").as_str(), "main").unwrap_err();
    assert!(error.message.starts_with("cannot read the refs of"), "{error}");
    let both = origin.repository.find_commit(origin.head().id()).unwrap();
    origin.repository.branch("v1", &both, false).unwrap();
    assert!(resolve(&address, "v1").unwrap_err().message.contains("both a tag and a branch"));
}

#[tokio::test]
async fn a_pull_clones_then_fetches_then_has_nothing_to_do() {
    let bench = Bench::new();
    let origin = Origin::new(&bench);
    let first = origin.head().id().to_string();
    let (end, _) = bench.execute(&origin.order(&first)).await;
    assert_eq!((end.outcome, end.changes), (Outcome::Changed, 2), "{end:?}");
    let pulled = end.pulled.unwrap();
    assert_eq!((pulled.commits, pulled.files, pulled.since), (0, 2, None));
    assert_eq!(bench.read("model/b/c"), "1");

    // The branch moves on after the plan was made: the pinned commit is what counts.
    let second = origin.commit("two", &[("a", "2")]);
    let third = origin.commit("three", &[("a", "3"), ("d", "3")]);
    origin.commit("four", &[("a", "4")]);
    let end = origin.pull(&third);
    assert_eq!((end.outcome, end.changes, bench.read("model/a").as_str()), (Outcome::Changed, 2, "3"), "{end:?}");
    let pulled = end.pulled.unwrap();
    assert_eq!((pulled.commits, pulled.files, pulled.since.as_deref()), (2, 2, Some(first.as_str())));
    assert!(Repository::open(bench.path("model")).unwrap().head_detached().unwrap());

    // Back to where it was, with what the previous run left given by the order.
    let mut order = origin.order(&third);
    order.since = Some(second);
    let end = pull(&order, &AtomicBool::new(false));
    assert_eq!((end.outcome, end.changes), (Outcome::Unchanged, 0));
    assert_eq!(end.pulled.unwrap().commits, 1);
    assert_eq!(origin.pull(&first).outcome, Outcome::Changed);
    assert_eq!((bench.read("model/a").as_str(), bench.path("model/d").exists()), ("1", false));
}

#[test]
fn local_modifications_are_refused_and_named() {
    let bench = Bench::new();
    let origin = Origin::new(&bench);
    let first = origin.head().id().to_string();
    origin.pull(&first);
    let second = origin.commit("two", &[("a", "2"), ("new", "2")]);
    std::fs::write(bench.path("model/b/c"), "mine").unwrap();
    assert_eq!(origin.pull(&second), End::noted(Outcome::Failed, "`model` has local modifications: `b/c`"));
    std::fs::write(bench.path("model/b/c"), "1").unwrap();
    // An untracked file is left alone, unless it is in the way.
    std::fs::write(bench.path("model/new"), "mine").unwrap();
    assert_eq!(origin.pull(&second), End::noted(Outcome::Failed, "files in `model` are in the way: `new`"));
    assert_eq!((bench.read("model/new").as_str(), bench.read("model/a").as_str()), ("mine", "1"));
    std::fs::rename(bench.path("model/new"), bench.path("model/other")).unwrap();
    assert_eq!(origin.pull(&second).outcome, Outcome::Changed);
    assert_eq!(bench.read("model/other"), "mine");
}

#[test]
fn a_folder_that_is_something_else_is_refused() {
    let bench = Bench::new();
    let origin = Origin::new(&bench);
    let first = origin.head().id().to_string();
    std::fs::create_dir(bench.path("model")).unwrap();
    std::fs::write(bench.path("model/mine"), "").unwrap();
    assert!(note(&origin.pull(&first)).contains("is no git repository"));
    std::fs::remove_file(bench.path("model/mine")).unwrap();
    assert_eq!(origin.pull(&first).outcome, Outcome::Changed, "an empty folder will do");
    Repository::open(bench.path("model")).unwrap().remote_set_url("origin", "https://a:secret@example.net/b").unwrap();
    let end = origin.pull(&first);
    assert!(note(&end).contains("is a clone of `https://example.net/b` and not of"), "{end:?}");
}

#[test]
fn a_commit_that_is_gone_is_said_to_be_gone() {
    let bench = Bench::new();
    let origin = Origin::new(&bench);
    let end = origin.pull("0123456789012345678901234567890123456789");
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(note(&end).contains("no longer has commit 0123456789012345678901234567890123456789"), "{end:?}");
    assert!(!bench.path("model").exists());
}

#[test]
fn a_pull_that_was_cut_off_does_not_stand_in_the_way() {
    let bench = Bench::new();
    let origin = Origin::new(&bench);
    let first = origin.head().id().to_string();
    // A clone that was cut off, then a checkout.
    std::fs::create_dir(bench.path(".model.upshift-part")).unwrap();
    std::fs::write(bench.path(".model.upshift-part/half"), "").unwrap();
    assert_eq!(origin.pull(&first).outcome, Outcome::Changed);
    assert!(!bench.path(".model.upshift-part").exists());
    let second = origin.commit("two", &[("a", "2"), ("new", "2")]);
    std::fs::write(bench.path("model/a"), "2").unwrap();
    std::fs::write(bench.path("model/new"), "").unwrap();
    std::fs::write(bench.path("model/.git/upshift-checkout"), &second).unwrap();
    assert_eq!(origin.pull(&second).outcome, Outcome::Changed);
    assert_eq!((bench.read("model/a").as_str(), bench.read("model/new").as_str()), ("2", "2"));
    assert_eq!(origin.pull(&second).outcome, Outcome::Unchanged);
}

#[test]
fn a_relative_path_is_taken_from_the_project_and_no_secret_gets_out() {
    let bench = Bench::new();
    let origin = Origin::new(&bench);
    let mut order = origin.order(&origin.head().id().to_string());
    let Action::Pull { repo, .. } = &mut order.action else { unreachable!() };
    *repo = Address::new("./origin".into());
    assert_eq!(pull(&order, &AtomicBool::new(false)).outcome, Outcome::Changed);
    let error = resolve("https://ops:hunter22@127.0.0.1:1/a.git", "main").unwrap_err();
    assert!(error.message.contains("https://127.0.0.1:1/a.git"), "{error}");
    assert!(!error.message.contains("hunter22"), "{error}");
}
