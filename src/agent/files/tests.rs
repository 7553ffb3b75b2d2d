//! The store and its paths, whatever is cut off.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::compare::Wanted;
use super::owners::Owners;
use super::place::place;
use super::store::{Store, Taken};
use super::{File, Found, Gap, Hash, PIECE, Place, Placed, What};

struct Shelf(tempfile::TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.0.path()).unwrap().join(name)
    }

    fn store(&self) -> Store {
        Store::open(&self.path("files"), "boot").unwrap()
    }

    /// The names of everything in the store.
    fn names(&self) -> Vec<String> {
        let of = |path: &str| {
            let entries = self.path(path).read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned());
            entries.filter(|name| name != "lock" && name != "boot").collect::<Vec<_>>()
        };
        let mut names = [of("files"), of("files/boot")].concat();
        names.sort();
        names
    }

    fn wanted(&self, name: &str, what: What, mode: Option<u32>) -> Place {
        Place { path: self.path(name), what, mode, owner: None, group: None }
    }
}

/// Puts things at paths, without folders above.
fn put(store: &mut Store, places: &[Place]) -> Vec<Placed> {
    place(store, places, false, &mut Owners::default())
}

fn look(place: &Place) -> Found {
    Wanted::new(std::slice::from_ref(place), false, &mut Owners::default()).look(place)
}

fn file(content: &[u8]) -> File {
    File { hash: Hash::of(content), size: content.len() as u64 }
}

/// Three pieces and a bit.
fn large() -> Vec<u8> {
    (0..3 * PIECE + 1000).map(|n| (n / 7).to_le_bytes()[0]).collect()
}

/// Sends what a store does not have of a file, as a controller does; how many bytes that were.
fn send(store: &mut Store, content: &[u8]) -> u64 {
    let gaps = store.missing(&[file(content)]).unwrap();
    let Some(Gap { have, so_far, .. }) = gaps.first().copied() else { return 0 };
    let have_slice = &content[..usize::try_from(have).unwrap()];
    let from = if so_far == Some(Hash::of(have_slice)) { have } else { 0 };
    let rest = &content[usize::try_from(from).unwrap()..];
    for (n, piece) in rest.chunks(usize::try_from(PIECE).unwrap()).enumerate() {
        store.piece(file(content), from + n as u64 * PIECE, piece).unwrap();
    }
    rest.len() as u64
}

#[test]
fn what_was_sent_is_there_and_stays() {
    let shelf = Shelf::new();
    let (one, two, large) = (b"one".to_vec(), Vec::new(), large());
    let all = [file(&one), file(&two), file(&large)];
    let mut store = shelf.store();
    let at: Vec<_> = store.missing(&all).unwrap().iter().map(|gap| (gap.at, gap.have)).collect();
    assert_eq!(at, [(0, 0), (1, 0), (2, 0)]);
    store.pack(&all[..2], &one).unwrap();
    // Before it is settled, too: the agent may be killed here.
    let mut store = shelf.store();
    assert_eq!(store.missing(&all).unwrap().len(), 1);
    store.settle().unwrap();
    assert_eq!(send(&mut store, &large), large.len() as u64);
    assert_eq!(shelf.store().missing(&all).unwrap(), []);
    let mut names: Vec<_> = all.iter().map(|file| file.hash.to_string()).collect();
    names.sort();
    assert_eq!(shelf.names(), names);
}

#[test]
fn what_was_not_on_disk_is_not_trusted_after_a_restart_of_the_host() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    store.pack(&[file(b"one")], b"one").unwrap();
    drop(store);
    let mut store = Store::open(&shelf.path("files"), "another boot").unwrap();
    assert_eq!(store.missing(&[file(b"one")]).unwrap().len(), 1);
    assert!(!shelf.path("files/boot").exists());
}

#[test]
fn a_large_file_is_continued_wherever_it_was_cut() {
    let content = large();
    let cuts = [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE, 3 * PIECE + 999];
    for cut in cuts {
        let shelf = Shelf::new();
        let mut store = shelf.store();
        // A piece that the agent died in is on disk in part.
        store.piece(file(&content), 0, &content[..usize::try_from(cut).unwrap()]).unwrap();
        drop(store);
        let mut store = shelf.store();
        assert_eq!(send(&mut store, &content), content.len() as u64 - cut / PIECE * PIECE, "cut at {cut}");
        assert_eq!(shelf.names(), [file(&content).hash.to_string()]);
        assert_eq!(fs::read(shelf.path("files").join(&shelf.names()[0])).unwrap(), content);
    }
}

#[test]
fn a_part_with_other_bytes_is_not_continued() {
    let (shelf, content) = (Shelf::new(), large());
    let part = |bytes: &[u8]| {
        let path = shelf.path("files").join(format!("{}.0.part", file(&content).hash));
        fs::write(path, bytes).unwrap();
    };
    drop(shelf.store());
    part(&vec![0; content.len() - 1]);
    assert_eq!(send(&mut shelf.store(), &content), content.len() as u64);
    // One that is too long, and one that is whole and wrong.
    for length in [content.len() + 1, 4 << 20, content.len()] {
        let shelf_path = shelf.path("files").join(file(&content).hash.to_string());
        fs::remove_file(shelf_path).unwrap();
        part(&vec![0; length]);
        assert_eq!(send(&mut shelf.store(), &content), content.len() as u64, "{length}");
    }
    assert_eq!(shelf.names(), [file(&content).hash.to_string()]);
}

#[test]
fn a_part_that_is_whole_and_right_needs_nothing() {
    let (shelf, content) = (Shelf::new(), vec![7; usize::try_from(2 * PIECE).unwrap()]);
    drop(shelf.store());
    fs::write(shelf.path("files").join(format!("{}.3.part", file(&content).hash)), &content).unwrap();
    assert_eq!(shelf.store().missing(&[file(&content)]).unwrap(), []);
    assert_eq!(shelf.names(), [file(&content).hash.to_string()]);
}

#[test]
fn what_is_not_as_announced_is_an_error_and_leaves_nothing() {
    let (shelf, content) = (Shelf::new(), large());
    let mut store = shelf.store();
    let mut changed = content.clone();
    changed[5] ^= 1;
    let error = store.piece(file(&content), 0, &changed).unwrap_err();
    assert!(error.to_string().contains("that was announced"), "{error}");
    assert_eq!(store.piece(file(&content), PIECE, b"x").unwrap(), Taken::Elsewhere);
    store.pack(&[file(b"one"), file(b"two")], b"onetwi").unwrap_err();
    store.pack(&[file(b"three")], b"thre").unwrap_err();
    store.settle().unwrap();
    assert_eq!(shelf.names(), [file(b"one").hash.to_string()]);
}

#[test]
fn a_part_that_another_agent_writes_is_taken_over_as_far_as_it_is_there() {
    let (shelf, content) = (Shelf::new(), large());
    let piece = usize::try_from(PIECE).unwrap();
    let (mut old, mut new) = (shelf.store(), shelf.store());
    old.piece(file(&content), 0, &content[..piece]).unwrap();
    old.piece(file(&content), PIECE, &content[piece..2 * piece]).unwrap();
    assert_eq!(send(&mut new, &content), content.len() as u64 - 2 * PIECE);
    // The old one does not know, and does no harm.
    old.piece(file(&content), 2 * PIECE, &content[2 * piece..]).unwrap();
    assert_eq!(shelf.names(), [file(&content).hash.to_string()]);
    assert_eq!(fs::read(shelf.path("files").join(&shelf.names()[0])).unwrap(), content);
}

#[test]
fn an_agent_that_heard_nothing_for_a_while_leaves_its_part_and_can_go_on_unless_another_did() {
    let (shelf, content) = (Shelf::new(), large());
    let piece = usize::try_from(PIECE).unwrap();
    let (mut old, mut new) = (shelf.store(), shelf.store());
    assert_eq!(old.piece(file(&content), 0, &content[..piece]).unwrap(), Taken::Yes);
    old.rest();
    assert_eq!(old.piece(file(&content), PIECE, &content[piece..2 * piece]).unwrap(), Taken::Yes);
    old.rest();
    assert_eq!(new.missing(&[file(&content)]).unwrap()[0].have, 2 * PIECE);
    assert_eq!(shelf.names().len(), 1, "it is the same part");
    assert_eq!(new.piece(file(&content), 2 * PIECE, &content[2 * piece..3 * piece]).unwrap(), Taken::Yes);
    assert_eq!(old.piece(file(&content), 2 * PIECE, &content[2 * piece..]).unwrap(), Taken::Elsewhere);
    assert_eq!(send(&mut new, &content), 1000);
    assert_eq!(send(&mut old, &content), 0);
    assert_eq!(fs::read(shelf.path("files").join(file(&content).hash.to_string())).unwrap(), content);
}

#[test]
fn a_store_in_use_is_not_pruned() {
    let shelf = Shelf::new();
    let store = shelf.store();
    let old = shelf.path("files").join(file(b"old").hash.to_string());
    fs::write(&old, "old").unwrap();
    let long_ago = fs::metadata(&old).unwrap().modified().unwrap() - std::time::Duration::from_hours(10_000);
    fs::File::open(&old).unwrap().set_modified(long_ago).unwrap();
    drop(shelf.store());
    assert!(old.exists());
    drop(store);
    drop(shelf.store());
    assert!(!old.exists());
}

#[test]
fn room_is_made_from_what_nobody_counts_on() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    store.pack(&[file(b"old"), file(b"needed")], b"oldneeded").unwrap();
    store.settle().unwrap();
    let mut other = shelf.store();
    other.missing(&[file(b"needed")]).unwrap();
    other.make_room(1 << 40).unwrap();
    assert_eq!(shelf.names().len(), 2, "the first one may count on it");
    drop(store);
    other.make_room(1 << 40).unwrap();
    assert_eq!(shelf.names(), [file(b"needed").hash.to_string()]);
    drop(shelf.store());
}

#[test]
fn a_file_is_placed_whole_with_its_mode_and_the_second_time_not_touched() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    store.pack(&[file(b"one"), file(b"two")], b"onetwo").unwrap();
    let one = shelf.wanted("one", What::File(file(b"one")), Some(0o640));
    assert_eq!(look(&one), Found::Different);
    assert_eq!(put(&mut store, std::slice::from_ref(&one)), [Placed::Changed]);
    let before = fs::metadata(&one.path).unwrap();
    assert_eq!((before.mode() & 0o7777, fs::read(&one.path).unwrap()), (0o640, b"one".to_vec()));
    assert_eq!(put(&mut store, std::slice::from_ref(&one)), [Placed::Unchanged]);
    assert_eq!(fs::metadata(&one.path).unwrap().ino(), before.ino());
    // Another mode alone needs no other file; another content without a mode keeps it.
    let mode = Place { mode: Some(0o4755), ..one.clone() };
    assert_eq!(look(&mode), Found::Attributes);
    assert_eq!(put(&mut store, &[mode]), [Placed::Changed]);
    assert_eq!(fs::metadata(&one.path).unwrap().ino(), before.ino());
    let other = shelf.wanted("one", What::File(file(b"two")), None);
    assert_eq!(put(&mut store, &[other]), [Placed::Changed]);
    let after = fs::metadata(&one.path).unwrap();
    assert_eq!((after.mode() & 0o7777, fs::read(&one.path).unwrap()), (0o755, b"two".to_vec()));
    assert_ne!(after.ino(), before.ino());
}

#[test]
fn a_kind_of_thing_is_never_replaced_by_another() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    store.pack(&[file(b"one")], b"one").unwrap();
    fs::create_dir(shelf.path("folder")).unwrap();
    fs::write(shelf.path("file"), "old").unwrap();
    std::os::unix::fs::symlink("file", shelf.path("link")).unwrap();
    let content = || What::File(file(b"one"));
    let refused = [
        ("folder", content(), "is a folder there"),
        ("link", content(), "is a symbolic link to `file` there"),
        ("file", What::Folder, "is a file there"),
        ("file", What::Link("elsewhere".into()), "is a file there"),
        ("none/file", content(), "there is no folder"),
        ("file/file", content(), "is a file"),
    ];
    for (name, what, why) in refused {
        let place = shelf.wanted(name, what, None);
        let Found::Refused(said) = look(&place) else { panic!("{name} is not refused") };
        assert!(said.contains(why) || said.contains("Not a directory"), "{name}: {said}");
        assert!(matches!(&put(&mut store, &[place])[..], [Placed::Failed(_)]), "{name}");
    }
    assert_eq!(fs::read(shelf.path("file")).unwrap(), b"old");
    let link = |to: &str| shelf.wanted("link", What::Link(to.into()), None);
    assert_eq!(put(&mut store, &[link("file"), link("folder")]), [Placed::Unchanged, Placed::Changed]);
    assert_eq!(fs::read_link(shelf.path("link")).unwrap().to_str(), Some("folder"));
    // A folder that is reached through a link is a folder.
    assert_eq!(look(&shelf.wanted("link", What::Folder, None)), Found::Same);
}

#[test]
fn a_tree_is_placed_in_order_and_folders_above_only_when_asked() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    store.pack(&[file(b"one")], b"one").unwrap();
    let places = [
        shelf.wanted("tree", What::Folder, Some(0o750)),
        shelf.wanted("tree/in", What::Folder, None),
        shelf.wanted("tree/in/one", What::File(file(b"one")), None),
    ];
    assert_eq!(put(&mut store, &places), [Placed::Changed, Placed::Changed, Placed::Changed]);
    let mode = |name: &str| fs::metadata(shelf.path(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("tree"), mode("tree/in"), mode("tree/in/one")), (0o750, 0o755, 0o644));
    let deep = shelf.wanted("a/b/one", What::File(file(b"one")), None);
    assert_eq!(place(&mut store, &[deep], true, &mut Owners::default()), [Placed::Changed]);
    assert_eq!(fs::read(shelf.path("a/b/one")).unwrap(), b"one");
}

#[test]
fn what_an_agent_left_that_was_killed_is_cleared_away() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    store.pack(&[file(b"one")], b"one").unwrap();
    let one = shelf.wanted("one", What::File(file(b"one")), None);
    let left = super::temporary::beside(&one.path, "part");
    fs::write(&left, "half").unwrap();
    fs::set_permissions(&left, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(put(&mut store, std::slice::from_ref(&one)), [Placed::Changed]);
    assert_eq!((fs::read(&one.path).unwrap(), left.exists()), (b"one".to_vec(), false));
    assert_eq!(fs::metadata(&one.path).unwrap().mode() & 0o7777, 0o644);
}

#[test]
fn a_content_that_was_spoilt_in_the_store_is_sent_again_and_never_placed() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    store.pack(&[file(b"one")], b"one").unwrap();
    store.settle().unwrap();
    fs::write(shelf.path("files").join(file(b"one").hash.to_string()), "eno").unwrap();
    let mut store = shelf.store();
    assert_eq!(store.missing(&[file(b"one")]).unwrap(), []);
    let one = shelf.wanted("one", What::File(file(b"one")), None);
    assert_eq!(put(&mut store, std::slice::from_ref(&one)), [Placed::Absent]);
    assert!(!one.path.exists());
    assert_eq!(store.missing(&[file(b"one")]).unwrap().len(), 1);
}

#[test]
fn many_files_are_placed_in_batches() {
    let shelf = Shelf::new();
    let mut store = shelf.store();
    let contents: Vec<_> = (0..450).map(|n| format!("file {n}")).collect();
    let files: Vec<_> = contents.iter().map(|content| file(content.as_bytes())).collect();
    store.pack(&files, contents.concat().as_bytes()).unwrap();
    let name = |n: usize| format!("{n}");
    let places: Vec<_> =
        files.iter().enumerate().map(|(n, file)| shelf.wanted(&name(n), What::File(*file), None)).collect();
    assert!(put(&mut store, &places).iter().all(|placed| *placed == Placed::Changed));
    assert!(put(&mut store, &places).iter().all(|placed| *placed == Placed::Unchanged));
    let nobody = Place { owner: Some("no-such-user".into()), ..places[0].clone() };
    assert_eq!(put(&mut store, &[nobody]), [Placed::Failed("there is no user `no-such-user`".into())]);
}
