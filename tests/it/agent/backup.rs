//! Backups by commands and of files: whole or not there, and refused before they touch anything.

use camino::Utf8PathBuf;
use jiff::SignedDuration;
use upshift::agent::Order;
use upshift::model::backup::Data;
use upshift::model::plan::Action;
use upshift::model::{Backup, Outcome};

use super::{Bench, note};

fn backup(data: Data) -> Box<Backup> {
    let name = data.engine().to_owned();
    Box::new(Backup { name, folder: None, run: Some("run".into()), to: None, of: None, data, test: None })
}

fn by_commands(save: &str) -> Box<Backup> {
    backup(Data::Command { save: save.into(), load: "cat >loaded".into() })
}

fn save(bench: &Bench, backup: &Backup, attempt: u32) -> Order {
    let mut order = bench.order(Action::Backup(Box::new(backup.clone())));
    order.id = format!("run.stage.cmp001.step1.{attempt}");
    order
}

fn load(bench: &Bench, backup: &Backup, attempt: u32) -> Order {
    let mut order = bench.order(Action::Restore(Box::new(backup.clone())));
    order.id = format!("run.stage.cmp001.step2.{attempt}");
    order
}

fn file(bench: &Bench, name: &str) -> Utf8PathBuf {
    bench.path("backups/run/command").join(name)
}

#[tokio::test]
async fn what_a_command_wrote_is_what_the_other_one_reads() {
    let bench = Bench::new();
    let backup = by_commands("head -c 3000000 /dev/urandom | tee saved");
    let (end, output) = bench.execute(&save(&bench, &backup, 1)).await;
    assert_eq!(end.outcome, Outcome::Changed, "{end:?}");
    assert!(note(&end).starts_with("3.0 MB, 3.0 MB on disk") && output.contains("3.0 MB"), "{end:?} {output}");
    let (end, _) = bench.execute(&load(&bench, &backup, 1)).await;
    assert_eq!(end.outcome, Outcome::Changed, "{end:?}");
    assert_eq!(std::fs::read(bench.path("saved")).unwrap(), std::fs::read(bench.path("loaded")).unwrap());
}

/// Changes what the manifest says.
fn manifest(bench: &Bench, from: &str, to: &str) {
    let text = std::fs::read_to_string(file(bench, "manifest.json")).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file(bench, "manifest.json"), text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn a_backup_that_is_not_what_was_written_is_refused_before_anything_is_touched() {
    type Damage = fn(&Bench);
    let cut = |bench: &Bench| {
        let data = std::fs::OpenOptions::new().write(true).open(file(bench, "data.gz")).unwrap();
        data.set_len(data.metadata().unwrap().len() - 1).unwrap();
    };
    let flip = |bench: &Bench| {
        let mut bytes = std::fs::read(file(bench, "data.gz")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file(bench, "data.gz"), bytes).unwrap();
    };
    let damages: [(Damage, &str); 7] = [
        (cut, " bytes, and "),
        (flip, "is damaged: its bytes are not those that were written"),
        (|bench| std::fs::remove_file(file(bench, "data.gz")).unwrap(), "No such file"),
        (|bench| std::fs::remove_file(file(bench, "manifest.json")).unwrap(), "has no whole backup"),
        (|bench| std::fs::write(file(bench, "manifest.json"), "{\"format\": 1,").unwrap(), "manifest.json` is damaged"),
        (|bench| manifest(bench, "\"format\": 1", "\"format\": 2"), "has format 2"),
        (|bench| manifest(bench, "\"engine\": \"command\"", "\"engine\": \"files\""), "of the engine `files`"),
    ];
    for (damage, why) in damages {
        let bench = Bench::new();
        let backup = by_commands("seq 100000");
        assert_eq!(bench.execute(&save(&bench, &backup, 1)).await.0.outcome, Outcome::Changed);
        damage(&bench);
        let (end, _) = bench.execute(&load(&bench, &backup, 1)).await;
        assert_eq!(end.outcome, Outcome::Failed);
        assert!(note(&end).starts_with("nothing was touched: "), "{end:?}");
        assert!(note(&end).contains(why), "{end:?}");
        assert!(!bench.path("loaded").exists(), "{why}");
    }
}

#[tokio::test]
async fn a_backup_that_fails_or_is_cut_off_is_none_and_the_next_try_begins_anew() {
    let bench = Bench::new();
    let (end, _) = bench.execute(&save(&bench, &by_commands("seq 100000; echo no >&2; exit 3"), 1)).await;
    assert_eq!((end.outcome, note(&end)), (Outcome::Failed, "`sh`: exit code 3: no"));
    let left = || std::fs::read_dir(file(&bench, "")).unwrap().count();
    assert_eq!(left(), 0);
    let mut slow = save(&bench, &by_commands("seq 1000; echo $$ >pid; sleep 60"), 2);
    slow.timeout = SignedDuration::from_millis(700);
    let (end, _) = bench.execute(&slow).await;
    assert_eq!(end.outcome, Outcome::TimedOut, "{end:?}");
    assert!(!super::is_alive(&bench.read("pid")));
    assert_eq!(left(), 0);
    // What an agent leaves that was killed.
    std::fs::write(file(&bench, "part"), "half").unwrap();
    let (end, _) = bench.execute(&save(&bench, &by_commands("seq 1000"), 3)).await;
    assert_eq!(end.outcome, Outcome::Changed, "{end:?}");
    assert_eq!(left(), 2);
}

#[tokio::test]
async fn a_whole_backup_is_never_written_over() {
    let bench = Bench::new();
    let backup = by_commands("echo x >>saves; seq 1000");
    assert_eq!(bench.execute(&save(&bench, &backup, 1)).await.0.outcome, Outcome::Changed);
    bench.local.forget("run.stage.cmp001.step1.1").unwrap();
    let (end, _) = bench.execute(&save(&bench, &backup, 2)).await;
    assert_eq!(end.outcome, Outcome::Unchanged);
    assert!(note(&end).starts_with("there already: "), "{end:?}");
    let mut other = save(&bench, &backup, 1);
    other.id = "run.stage.cmp001.step7.1".into();
    let (end, _) = bench.execute(&other).await;
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(note(&end).contains("has the backup of another step, `run.stage.cmp001.step1`"), "{end:?}");
    assert_eq!(bench.read("saves"), "x\n");
}

#[tokio::test]
async fn files_go_back_as_they_were_and_what_came_since_is_gone() {
    let bench = Bench::new();
    let folder = bench.path("etc/nova");
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    std::fs::write(folder.join("nova.conf"), "old").unwrap();
    std::fs::write(bench.path("etc/single"), "one").unwrap();
    std::os::unix::fs::symlink("nova.conf", folder.join("deep/link")).unwrap();
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(folder.join("nova.conf"), mode(0o640)).unwrap();
    let paths = vec![folder.to_string(), bench.path("etc/single").to_string()];
    let backup = backup(Data::Files { paths });
    assert_eq!(bench.execute(&save(&bench, &backup, 1)).await.0.outcome, Outcome::Changed);
    std::fs::write(folder.join("nova.conf"), "new").unwrap();
    std::fs::set_permissions(folder.join("nova.conf"), mode(0o600)).unwrap();
    std::fs::write(folder.join("newer"), "").unwrap();
    std::fs::remove_dir_all(folder.join("deep")).unwrap();
    std::fs::remove_file(bench.path("etc/single")).unwrap();
    let (end, _) = bench.execute(&load(&bench, &backup, 1)).await;
    assert_eq!(end.outcome, Outcome::Changed, "{end:?}");
    assert_eq!(bench.read("etc/nova/nova.conf"), "old");
    assert_eq!(bench.read("etc/single"), "one");
    let mode = std::os::unix::fs::PermissionsExt::mode(&folder.join("nova.conf").metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(std::fs::read_link(folder.join("deep/link")).unwrap().to_str(), Some("nova.conf"));
    let names = |path: &str| std::fs::read_dir(bench.path(path)).unwrap().count();
    assert_eq!((names("etc/nova"), names("etc")), (2, 2));
}
