//! From staging to production: what was rehearsed may run, cron has nothing to do twice, and others are told.

use std::io::Read as _;
use std::net::TcpListener;

use crate::sandbox::Sandbox;

const INVENTORY: &str = "[groups.cmp]\nhosts = ['cmp[1-2]']\n[defaults]\ntransport = 'local'\n";

fn site(more: &str) -> Sandbox {
    let site = Sandbox::new();
    let pipeline = format!(
        "[pipeline]\nname = 'train'\nrequires = {{ inventory = 'staging.toml', within = '1h' }}\n{more}\n\
         [[stage]]\nname = 'computes'\nhosts = 'cmp'\n[[stage.step]]\nrun = 'echo x >> did; test ! -e fails'\n"
    );
    site.write("staging.toml", INVENTORY).write("production.toml", INVENTORY).write("up.toml", &pipeline);
    site
}

fn stderr(said: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(said.get_output().stderr.clone()).unwrap()
}

#[test]
fn production_waits_for_a_run_of_the_same_on_staging() {
    let site = site("");
    let production = ["run", "up.toml", "--inventory", "production.toml"];
    let staging = ["run", "up.toml", "--inventory", "staging.toml"];
    let refused = stderr(&site.upshift(production).assert().code(2));
    assert!(refused.contains("was not run on staging.toml yet"), "{refused}");
    // One that failed is no rehearsal.
    site.write("fails", "");
    site.upshift(staging).assert().code(10);
    site.upshift(production).assert().code(2);
    std::fs::remove_file(site.path("fails")).unwrap();
    site.upshift(staging).assert().code(0);
    site.upshift(production).assert().code(0);
    // Nor is one of something else.
    let other = site.read("up.toml").replace("echo x", "echo y");
    site.write("up.toml", &other);
    site.upshift(production).assert().code(2);
}

#[test]
fn cron_does_nothing_and_says_nothing_when_nothing_is_new() {
    let site = site("");
    let staging = ["run", "up.toml", "--inventory", "staging.toml", "--if-changed"];
    site.upshift(staging).assert().code(0);
    assert_eq!(site.read("did").lines().count(), 2);
    site.upshift(staging).assert().code(0).stdout("").stderr("");
    assert_eq!(site.read("did").lines().count(), 2);
    let other = site.read("up.toml").replace("echo x", "echo y");
    site.write("up.toml", &other);
    site.upshift(staging).assert().code(0);
    assert_eq!(site.read("did").lines().count(), 4);
}

#[test]
fn others_are_told_by_a_command_and_by_an_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&bytes).contains('}') {
                let n = stream.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..n]);
            }
            std::io::Write::write_all(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            )
            .unwrap();
            heard.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        heard
    });
    let more = format!("[notify]\ncommand = 'cat >>told; echo >>told'\nwebhook = 'http://{address}/hook?key=hidden'\n");
    let site = site(&more);
    site.upshift(["run", "up.toml", "--inventory", "staging.toml"]).assert().code(0);
    let told = site.read("told");
    let events: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        events.iter().map(|event| event["event"].as_str().unwrap()).collect::<Vec<_>>(),
        ["started", "finished"]
    );
    assert_eq!(events[1]["verdict"], "done");
    let heard = server.join().unwrap();
    assert!(heard[0].starts_with("POST /hook?key=hidden") && heard[1].contains("\"finished\""), "{heard:?}");
}

#[test]
fn nobody_who_is_told_holds_up_a_run() {
    let site =
        site("[notify]\ncommand = 'exit 3'\nwebhook = 'http://127.0.0.1:1/hook?key=hidden'\non = ['finished']\n");
    let said = stderr(&site.upshift(["run", "up.toml", "--inventory", "staging.toml"]).assert().code(0));
    assert!(said.contains("`exit 3` ended with") && said.contains("127.0.0.1:1"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}

#[test]
fn a_bundle_has_what_is_kept_of_a_run_and_no_secret() {
    let site = site("");
    let pipeline = site.read("up.toml") + "env = { DB_PASSWORD = 'opensesame' }\n";
    site.write("up.toml", &pipeline.replace("echo x", "echo $DB_PASSWORD; echo x"));
    site.upshift(["run", "up.toml", "--inventory", "staging.toml"]).assert().code(0);
    site.upshift(["bundle", "--output", "all.tar.gz"]).assert().code(0);
    let mut archive =
        tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(site.path("all.tar.gz")).unwrap()));
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert!(!text.contains("opensesame"), "{text}");
        names.push(entry.path().unwrap().file_name().unwrap().to_string_lossy().into_owned());
    }
    assert_eq!(names, ["cmp1.log", "cmp2.log", "journal.jsonl", "plan.json", "report.html", "report.txt"]);
}
