//! Waiting, against real listeners on this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use jiff::SignedDuration;
use upshift::agent::Order;
use upshift::model::Outcome;
use upshift::model::plan::{Action, Wait};
use upshift::model::record::End;

use super::{Bench, eventually};

fn order(bench: &Bench, what: Wait, timeout: i64) -> Order {
    let mut order = bench.order(Action::Wait { what, every: SignedDuration::from_millis(20) });
    order.timeout = SignedDuration::from_millis(timeout);
    order
}

/// Answers every request with the next status, and the last one for ever.
fn serve(statuses: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for n in 0.. {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let _ = stream.read(&mut [0; 4096]);
            let status = statuses[n.min(statuses.len() - 1)];
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    });
    format!("http://{address}/status")
}

/// An address that nobody listens on.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_service_is_waited_for_until_it_answers_well() {
    let bench = Bench::new();
    let url = serve(&["503 Service Unavailable", "500 Oops", "302 Found"]);
    assert_eq!(bench.execute(&order(&bench, Wait::Http(url), 10_000)).await.0, End::plain(Outcome::Unchanged));
}

#[tokio::test]
async fn a_service_that_never_gets_well_times_out_with_what_was_seen() {
    let bench = Bench::new();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let cases = [
        (Wait::Http(serve(&["503 Service Unavailable"])), "not done after 300ms: HTTP status 503"),
        (Wait::Http(format!("http://{}/", closed())), "not done after 300ms: connection refused"),
        (Wait::Tcp(closed()), "not done after 300ms: connection refused"),
        (Wait::File("nothing".into()), "not done after 300ms: `"),
        (Wait::Run { command: "exit 1".into(), until: None }, "not done after 300ms: exit code 1"),
        (
            Wait::Run { command: "echo starting".into(), until: Some("^active".into()) },
            "not done after 300ms: the output did not match `^active`",
        ),
        (Wait::Http(format!("http://{}/", mute.local_addr().unwrap())), "not done after 300ms: no answer"),
    ];
    let ends = cases.iter().enumerate().map(|(n, (what, said))| {
        let bench = &bench;
        async move {
            let mut order = order(bench, what.clone(), 300);
            order.id = n.to_string();
            let (end, _) = bench.execute(&order).await;
            assert_eq!(end.outcome, Outcome::TimedOut, "{end:?}");
            assert!(end.note.as_deref().unwrap().starts_with(said), "{end:?}");
        }
    });
    for end in ends {
        end.await;
    }
}

#[tokio::test]
async fn a_port_a_file_and_a_command_are_waited_for() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = Wait::Tcp(listener.local_addr().unwrap().to_string());
    assert_eq!(bench.execute(&order(&bench, tcp, 5000)).await.0, End::plain(Outcome::Unchanged));
    let mut file = order(&bench, Wait::File("there".into()), 5000);
    file.id = "file".into();
    let command = "echo look >> looks; [ -e there ] && echo state active";
    let mut run = order(&bench, Wait::Run { command: command.into(), until: Some("active$".into()) }, 5000);
    run.id = "run".into();
    let (file, run, ()) = tokio::join!(bench.execute(&file), bench.execute(&run), async {
        eventually("a look", || !bench.read("looks").is_empty()).await;
        std::fs::write(bench.path("there"), "").unwrap();
    });
    assert_eq!(file.0, End::plain(Outcome::Unchanged));
    assert_eq!(run, (End::plain(Outcome::Unchanged), "state active\n".into()));
}

#[tokio::test]
async fn a_wait_can_be_aborted_under_a_look_that_hangs() {
    let bench = Bench::new();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", mute.local_addr().unwrap());
    let mut order = order(&bench, Wait::Http(url), 60_000);
    order.action = Action::Wait {
        what: match order.action {
            Action::Wait { what, .. } => what,
            _ => unreachable!(),
        },
        every: SignedDuration::from_secs(5),
    };
    let (ended, _open) = tokio::join!(bench.execute(&order), async {
        let open = mute.accept().unwrap();
        bench.local.abort(&order.id).unwrap();
        open
    });
    assert_eq!(ended.0, End::noted(Outcome::Interrupted, "aborted: no answer yet"));
}
