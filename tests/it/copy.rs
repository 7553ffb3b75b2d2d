//! Files sent to an agent as it is started on a host, through pipes instead of a connection.

use std::process::Stdio;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use upshift::agent::files::{Ask as About, File, Gap, Hash, PIECE, Place, Placed, What};
use upshift::agent::frame;
use upshift::agent::protocol::{Answer, Ask, Question, Tell};

use crate::sandbox::Sandbox;

/// An agent, and the ends of the pipes to it.
struct Agent {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    asked: u64,
}

impl Agent {
    async fn start(folder: &Utf8Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_upshift"));
        command.args(["agent", "serve"]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut stdout = BufReader::new(stdout);
        let mut hello = String::new();
        stdout.read_line(&mut hello).await.unwrap();
        assert!(hello.starts_with("upshift-agent ready {"), "{hello}");
        Self { child, stdin, stdout, asked: 0 }
    }

    async fn put(&mut self, about: About, bytes: &[u8]) {
        self.asked += 1;
        frame::write(&mut self.stdin, &question(self.asked, about), bytes).await.unwrap();
    }

    async fn answer(&mut self) -> Tell {
        frame::read::<Answer>(&mut self.stdout).await.unwrap().unwrap().0.tell
    }

    async fn ask(&mut self, about: About, bytes: &[u8]) -> Tell {
        self.put(about, bytes).await;
        self.answer().await
    }

    async fn missing(&mut self, files: &[File]) -> Vec<Gap> {
        match self.ask(About::Missing { files: files.to_vec() }, &[]).await {
            Tell::Missing(gaps) => gaps,
            other => panic!("{other:?}"),
        }
    }
}

fn question(n: u64, about: About) -> Question {
    Question { n, ask: Ask::Files(about) }
}

fn file(content: &[u8]) -> File {
    File { hash: Hash::of(content), size: content.len() as u64 }
}

fn folder(sandbox: &Sandbox, name: &str) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(sandbox.path(name)).unwrap()
}

/// Two small files, and two pieces and a bit of a large one.
fn contents() -> [Vec<u8>; 3] {
    let large = (0..2 * PIECE + 100).map(|n| (n / 11).to_le_bytes()[0]).collect();
    [b"one".to_vec(), b"three".to_vec(), large]
}

/// Everything that a controller says while it sends them, frame by frame.
fn frames(contents: &[Vec<u8>; 3], from: u64) -> Vec<(About, Vec<u8>)> {
    let [one, three, large] = contents;
    let mut frames = vec![(About::Pack { files: vec![file(one), file(three)] }, [&one[..], three].concat())];
    let rest = &large[usize::try_from(from).unwrap()..];
    for (n, piece) in rest.chunks(usize::try_from(PIECE).unwrap()).enumerate() {
        frames.push((About::Piece { file: file(large), from: from + n as u64 * PIECE }, piece.to_vec()));
    }
    frames.push((About::Settle, Vec::new()));
    frames
}

#[tokio::test]
async fn a_connection_that_is_cut_at_any_frame_or_inside_one_is_taken_up_and_nothing_wrong_is_there() {
    let contents = contents();
    let all = contents.each_ref().map(|content| file(content));
    let mut stream = Vec::new();
    let mut boundaries = vec![0];
    for (n, (about, bytes)) in frames(&contents, 0).into_iter().enumerate() {
        frame::write(&mut stream, &question(n as u64, about), &bytes).await.unwrap();
        boundaries.push(stream.len());
    }
    let inside = boundaries.windows(2).flat_map(|pair| [pair[0] + 5, pair[0].midpoint(pair[1]), pair[1] - 1]);
    let mut cuts: Vec<_> = boundaries.iter().copied().chain(inside).collect();
    cuts.sort_unstable();
    for cut in cuts {
        let sandbox = Sandbox::new();
        let place = folder(&sandbox, "agent");
        let mut agent = Agent::start(&place).await;
        tokio::io::AsyncWriteExt::write_all(&mut agent.stdin, &stream[..cut]).await.unwrap();
        let Agent { mut child, stdin, .. } = agent;
        drop(stdin);
        child.wait().await.unwrap();
        for entry in place.join("files").read_dir_utf8().into_iter().flatten() {
            let entry = entry.unwrap();
            if let Ok(hash) = entry.file_name().parse::<Hash>() {
                assert_eq!(Hash::of(&std::fs::read(entry.path()).unwrap()), hash, "cut at {cut}");
            }
        }
        let mut agent = Agent::start(&place).await;
        let gaps = agent.missing(&all).await;
        let large = gaps.iter().find(|gap| gap.at == 2);
        let have = large.map_or(0, |gap| gap.have);
        let begin = &contents[2][..usize::try_from(have).unwrap()];
        assert_eq!(large.and_then(|gap| gap.so_far), (have > 0).then(|| Hash::of(begin)), "cut at {cut}");
        for (about, bytes) in frames(&contents, have) {
            assert_eq!(agent.ask(about, &bytes).await, Tell::Done, "cut at {cut}");
        }
        assert_eq!(agent.missing(&all).await, [], "cut at {cut}");
    }
}

#[tokio::test]
async fn an_agent_that_is_killed_under_a_transfer_leaves_what_arrived() {
    let sandbox = Sandbox::new();
    let place = folder(&sandbox, "agent");
    let large: Vec<u8> = (0..40 * PIECE).map(|n| (n / 13).to_le_bytes()[0]).collect();
    let pieces: Vec<_> = large.chunks(usize::try_from(PIECE).unwrap()).collect();
    let mut from = 0;
    for kill_after in [0, 1, 7, 20, 40] {
        let mut agent = Agent::start(&place).await;
        if let [gap] = agent.missing(&[file(&large)]).await[..] {
            assert!(gap.have >= from, "{} is less than {from}", gap.have);
            from = gap.have;
        }
        for piece in pieces.iter().take(kill_after).skip(usize::try_from(from / PIECE).unwrap()) {
            assert_eq!(agent.ask(About::Piece { file: file(&large), from }, piece).await, Tell::Done);
            from += piece.len() as u64;
        }
        agent.child.kill().await.unwrap();
    }
    assert_eq!(Agent::start(&place).await.missing(&[file(&large)]).await, []);
    assert_eq!(from, 40 * PIECE);
}

#[tokio::test]
async fn what_is_asked_at_once_is_done_in_order_and_placed() {
    let sandbox = Sandbox::new();
    let contents = contents();
    let target = folder(&sandbox, "target");
    std::fs::create_dir(&target).unwrap();
    let place = |content: &Vec<u8>| {
        let path = target.join(content.len().to_string());
        Place { path, what: What::File(file(content)), mode: Some(0o600), owner: None, group: None }
    };
    let places: Vec<_> = contents.iter().map(place).collect();
    let mut agent = Agent::start(&folder(&sandbox, "agent")).await;
    let frames = frames(&contents, 0);
    let count = frames.len();
    for (about, bytes) in frames {
        agent.put(about, &bytes).await;
    }
    agent.put(About::Place { places: places.clone(), parents: false }, &[]).await;
    for _ in 0..count {
        assert_eq!(agent.answer().await, Tell::Done);
    }
    assert_eq!(agent.answer().await, Tell::Placed(vec![Placed::Changed; 3]));
    let again = agent.ask(About::Place { places, parents: false }, &[]).await;
    assert_eq!(again, Tell::Placed(vec![Placed::Unchanged; 3]));
    for content in &contents {
        assert_eq!(std::fs::read(target.join(content.len().to_string())).unwrap(), *content);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_while_files_are_placed_leaves_them_placed_and_nothing_else() {
    let sandbox = Sandbox::new();
    let target = folder(&sandbox, "target");
    let contents: Vec<_> = (0..700).map(|n| format!("content {n}").into_bytes()).collect();
    let files: Vec<_> = contents.iter().map(|content| file(content)).collect();
    let what = |n: usize| (target.join(n.to_string()), What::File(files[n]));
    let folder_first = std::iter::once((target.clone(), What::Folder));
    let places = folder_first.chain((0..700).map(what));
    let places = places.map(|(path, what)| Place { path, what, mode: None, owner: None, group: None }).collect();
    let mut agent = Agent::start(&folder(&sandbox, "agent")).await;
    assert_eq!(agent.ask(About::Pack { files: files.clone() }, &contents.concat()).await, Tell::Done);
    agent.put(About::Place { places, parents: false }, &[]).await;
    let Agent { mut child, stdin, .. } = agent;
    drop(stdin);
    child.wait().await.unwrap();
    let names: Vec<_> = target.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    assert_eq!((names.len(), names.iter().find(|name| name.starts_with('.'))), (700, None));
}

#[tokio::test]
async fn a_disk_that_is_full_is_an_error_and_nothing_stays_there() {
    let sandbox = Sandbox::new();
    let place = folder(&sandbox, "agent");
    let huge = File { hash: Hash::of(b"huge"), size: 1 << 60 };
    let mut agent = Agent::start(&place).await;
    match agent.ask(About::Missing { files: vec![huge] }, &[]).await {
        Tell::Failed(why) => assert!(why.starts_with("no room in"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_copied_is_said_before_any_host_is_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", "[groups.web]\nhosts = ['web1']\ntransport = 'ssh'\n");
    sandbox.write("a/x", "1").write("b/x", "2");
    let cases = [
        (&["copy", "all", "a/x", "etc"][..], "`etc` is no absolute path"),
        (&["copy", "all", "a/x", "/a/../b"], "is no absolute path"),
        (&["copy", "all", "none", "/etc/x"], "none"),
        (&["copy", "all", "a/x", "b/x", "/etc"], "`a/x` and `b/x` would both be `/etc/x`"),
        (&["copy", "all", "/dev/null", "/etc/x"], "neither a file nor a folder"),
        (&["copy", "all", "a/x", "/etc/x", "--mode", "999"], "a mode is an octal number such as 0644"),
        (&["copy", "all", "a/x"], "2 values required"),
    ];
    for (arguments, said) in cases {
        let output = sandbox.upshift(arguments.iter().copied()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.contains(said)), (Some(2), true), "{arguments:?}: {stderr}");
    }
}
