//! The states of Docker against a daemon that answers as the Engine API documents it, and keeps what it is told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::formula::Data;
use crate::states::Return;
use crate::states::sandbox::{Sandbox, change};

/// What the daemon has, and what it was asked to change.
#[derive(Default)]
struct Daemon {
    containers: BTreeMap<String, Value>,
    networks: BTreeMap<String, Value>,
    volumes: BTreeMap<String, Value>,
    pulled: bool,
    made: usize,
    acts: Vec<String>,
}

fn with_daemon() -> (Sandbox, Arc<Mutex<Daemon>>) {
    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.path.join("docker.sock")).unwrap();
    let daemon = Arc::new(Mutex::new(Daemon::default()));
    let shared = Arc::clone(&daemon);
    // It ends with the process of the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(&stream.unwrap(), &mut shared.lock().unwrap());
        }
    });
    (sandbox, daemon)
}

fn serve(stream: &UnixStream, daemon: &mut Daemon) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    if method != "GET" {
        daemon.acts.push(format!("{method} {path}"));
    }
    let (status, said) = daemon.answer(&method, &path, serde_json::from_slice(&body).unwrap_or_default());
    // As the daemon does, in chunks.
    let (middle, text) = (said.len() / 2, said);
    let chunk = |part: &str| if part.is_empty() { String::new() } else { format!("{:x}\r\n{part}\r\n", part.len()) };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunks = format!("{}{}0\r\n\r\n", chunk(&text[..middle]), chunk(&text[middle..]));
    let mut stream = stream;
    if matches!(status, 204 | 304) {
        write!(stream, "HTTP/1.1 {status} X\r\n\r\n").unwrap();
    } else {
        write!(stream, "{head}{chunks}").unwrap();
    }
}

impl Daemon {
    fn answer(&mut self, method: &str, path: &str, body: Value) -> (u16, String) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parameter = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned()
        };
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("GET", ["images", name @ .., "json"]) if self.pulled && name.join("/").starts_with("a/web") => {
                let config = json!({"Cmd": ["serve"], "Env": ["PATH=/bin", "MODE=image"], "WorkingDir": "/srv",
                                    "ExposedPorts": {"80/tcp": {}}, "Labels": {"by": "us"}});
                (200, json!({"Id": "sha256:1", "RepoTags": ["a/web:1"], "Config": config}).to_string())
            }
            ("POST", ["images", "create"]) if parameter("fromImage") == "a/web" => {
                self.pulled = true;
                let lines = [json!({"status": "Pull complete", "id": "l1"}), json!({"status": "Status: Downloaded"})];
                (200, lines.map(|line| format!("{line}\r\n")).concat())
            }
            ("POST", ["images", "create"]) => {
                (200, format!("{}\r\n", json!({"errorDetail": {}, "error": "pull access denied"})))
            }
            ("DELETE", ["images", ..]) => {
                self.pulled = false;
                (200, json!([{"Untagged": "a/web:1"}, {"Deleted": "sha256:1"}]).to_string())
            }
            ("POST", ["containers", "create"]) => {
                self.made += 1;
                let id = format!("id{}", self.made);
                self.containers.insert(parameter("name"), created(&id, body));
                (201, json!({"Id": id, "Warnings": []}).to_string())
            }
            (_, ["containers", name, rest @ ..]) => {
                let is_it = |entry: &(&String, &Value)| entry.0 == name || entry.1["Id"] == **name;
                let Some(name) = self.containers.iter().find(is_it).map(|(name, _)| name.clone()) else {
                    return (404, json!({"message": format!("No such container: {name}")}).to_string());
                };
                match (method, rest) {
                    ("GET", ["json"]) => return (200, self.containers[&name].to_string()),
                    ("DELETE", []) => drop(self.containers.remove(&name)),
                    ("POST", ["rename"]) => {
                        let container = self.containers.remove(&name).unwrap();
                        self.containers.insert(parameter("name"), container);
                    }
                    ("POST", ["start" | "stop"]) => {
                        self.containers.get_mut(&name).unwrap()["State"]["Running"] = (rest == ["start"]).into();
                    }
                    ("POST", ["kill"]) => {}
                    _ => return (400, json!({"message": "what?"}).to_string()),
                }
                (204, String::new())
            }
            (_, [kind @ ("networks" | "volumes"), rest @ ..]) => self.thing(method, kind, rest, &body),
            _ => (404, json!({"message": "page not found"}).to_string()),
        }
    }

    fn thing(&mut self, method: &str, kind: &str, rest: &[&str], body: &Value) -> (u16, String) {
        let things = if kind == "networks" { &mut self.networks } else { &mut self.volumes };
        match (method, rest) {
            ("POST", ["create"]) => {
                things.insert(body["Name"].as_str().unwrap().to_owned(), body.clone());
                (201, body.to_string())
            }
            ("GET", [name]) if things.contains_key(*name) => (200, things[*name].to_string()),
            ("DELETE", [name]) if things.remove(*name).is_some() => (204, String::new()),
            ("POST", [name, verb @ ("connect" | "disconnect")]) => {
                let container = body["Container"].as_str().unwrap();
                let is_it = |entry: &(&String, &mut Value)| entry.0 == container || entry.1["Id"] == container;
                let (_, container) = self.containers.iter_mut().find(is_it).unwrap();
                let networks = container["NetworkSettings"]["Networks"].as_object_mut().unwrap();
                match *verb {
                    "connect" => drop(networks.insert((*name).to_owned(), json!({}))),
                    _ => drop(networks.remove(*name)),
                }
                (200, String::new())
            }
            _ => (404, json!({"message": "no such thing"}).to_string()),
        }
    }
}

/// What the daemon says of a container that it was told to create: with what the image says, and with its own words for
/// what nobody said.
fn created(id: &str, mut body: Value) -> Value {
    let mut host = body["HostConfig"].take();
    body.as_object_mut().unwrap().remove("HostConfig");
    let defaults = json!({"Cmd": ["serve"], "Env": [], "WorkingDir": "/srv", "Labels": {}, "ExposedPorts": {},
                          "Tty": false, "OpenStdin": false, "User": "", "Domainname": "", "Entrypoint": null,
                          "Volumes": null, "Hostname": id});
    for (key, value) in defaults.as_object().unwrap() {
        body.as_object_mut().unwrap().entry(key).or_insert_with(|| value.clone());
    }
    let mut variables: Vec<Value> = body["Env"].as_array().unwrap().clone();
    for (name, variable) in [("PATH=", "PATH=/bin"), ("MODE=", "MODE=image")] {
        if !variables.iter().any(|given| given.as_str().unwrap().starts_with(name)) {
            variables.push(variable.into());
        }
    }
    body["Env"] = variables.into();
    body["Labels"]["by"] = "us".into();
    body["ExposedPorts"]["80/tcp"] = json!({});
    let defaults = json!({"NetworkMode": "default", "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "Dns": [],
                          "DnsOptions": [], "Binds": null, "CapAdd": null, "Privileged": false, "Memory": 0,
                          "PidsLimit": null, "IpcMode": "private", "ShmSize": 67_108_864, "PortBindings": {},
                          "LogConfig": {"Type": "json-file", "Config": {}}});
    for (key, value) in defaults.as_object().unwrap() {
        host.as_object_mut().unwrap().entry(key).or_insert_with(|| value.clone());
    }
    json!({"Id": id, "Image": "sha256:1", "State": {"Running": false, "Paused": false}, "Config": body,
           "HostConfig": host, "NetworkSettings": {"Networks": {"bridge": {}}}})
}

fn acts(daemon: &Mutex<Daemon>) -> Vec<String> {
    std::mem::take(&mut daemon.lock().unwrap().acts)
}

fn at<'a>(ret: &'a Return, path: &str) -> Option<&'a Data> {
    let mut parts = path.split('.');
    let first = ret.changes.get(parts.next()?);
    parts.fold(first, |data, key| data?.get(key))
}

const WEB: &str =
    "name: web, image: 'a/web:1', environment: [{MODE: top-secret}], binds: /data:/data, dns: [192.0.2.53],
                   port_bindings: '8080:80', restart_policy: always, cap_add: NET_ADMIN, labels: {team: x}";

#[test]
fn a_container_is_made_once_and_anew_when_what_it_is_to_be_changes() {
    let (sandbox, daemon) = with_daemon();
    let made = sandbox.settle("docker_container.running", &format!("{{{WEB}}}"));
    assert_eq!(made.comment, "Created container 'web'");
    assert_eq!(at(&made, "state.new"), Some(&"running".into()));
    assert_eq!(
        acts(&daemon),
        [
            "POST /images/create?fromImage=a/web&tag=1",
            "DELETE /containers/web-upshift-new?force=true",
            "POST /containers/create?name=web",
            "POST /containers/web/start"
        ]
    );
    let other = WEB.replace("always", "'on-failure:3'").replace("top-secret", "other-secret");
    let changed = sandbox.settle("docker_container.running", &format!("{{{other}, privileged: true}}"));
    let names: Vec<&str> =
        ["container.Config.Env", "container.HostConfig.RestartPolicy", "container.HostConfig.Privileged"]
            .into_iter()
            .filter(|path| at(&changed, path).is_some())
            .collect();
    assert_eq!(names.len(), 3, "{changed:?}");
    assert!(changed.comment.starts_with("Replaced container 'web'"), "{}", changed.comment);
    assert!(!format!("{changed:?}").contains("secret"), "{changed:?}");
    assert_eq!(
        acts(&daemon),
        [
            "DELETE /containers/web-upshift-new?force=true",
            "POST /containers/create?name=web-upshift-new",
            "POST /containers/id1/stop",
            "DELETE /containers/id1?force=true",
            "POST /containers/id2/rename?name=web",
            "POST /containers/web/start"
        ]
    );
    // What the SLS no longer says goes back to what it is by itself.
    let back = sandbox.settle("docker_container.running", "{name: web, image: 'a/web:1'}");
    assert!(at(&back, "container.HostConfig.CapAdd").is_some() && at(&back, "container.Config.Labels").is_some());
    assert_eq!(daemon.lock().unwrap().containers.len(), 1);
}

#[test]
fn a_container_that_was_stopped_is_started_and_one_whose_end_was_not_seen_is_finished() {
    let (sandbox, daemon) = with_daemon();
    let arguments = format!("{{{WEB}}}");
    sandbox.settle("docker_container.running", &arguments);
    let stopped = sandbox.settle("docker_container.stopped", "{name: web}");
    assert_eq!(at(&stopped, "web.state.new"), Some(&"stopped".into()));
    acts(&daemon);
    let started = sandbox.settle("docker_container.running", &arguments);
    assert!(started.comment.ends_with("State changed from 'stopped' to 'running'."), "{}", started.comment);
    assert_eq!(acts(&daemon), ["POST /containers/web/start"]);
    // Killed after the old container was removed and before the new one had its name.
    let container = daemon.lock().unwrap().containers.remove("web").unwrap();
    daemon.lock().unwrap().containers.insert("web-upshift-new".into(), container);
    sandbox.settle("docker_container.running", &arguments);
    let names: Vec<String> = daemon.lock().unwrap().containers.keys().cloned().collect();
    assert_eq!(names, ["web"]);
}

#[test]
fn a_container_is_in_the_networks_that_it_is_to_be_in_and_in_no_other() {
    let (sandbox, daemon) = with_daemon();
    sandbox.settle("docker_network.present", "{name: back, driver: bridge, subnet: 192.0.2.0/24}");
    let refused = sandbox.state("docker_network.present", "{name: back, subnet: 198.51.100.0/24}", false, &[]);
    assert!(refused.comment.contains("is configured otherwise (IPAM is"), "{}", refused.comment);
    sandbox.settle("docker_container.running", "{name: web, image: 'a/web:1'}");
    let moved = sandbox.settle("docker_container.running", "{name: web, image: 'a/web:1', networks: [back]}");
    assert_eq!(at(&moved, "container.Networks.back.new"), Some(&"connected".into()));
    let networks = daemon.lock().unwrap().containers["web"]["NetworkSettings"]["Networks"].clone();
    assert_eq!(networks, json!({"back": {}}));
    sandbox.settle("docker_network.absent", "{name: back}");
}

#[test]
fn containers_images_and_volumes_go_and_what_fails_says_why() {
    let (sandbox, _daemon) = with_daemon();
    sandbox.settle("docker_image.present", "{name: a/web, tag: '1'}");
    sandbox.settle("docker_container.running", "{name: web, image: 'a/web:1'}");
    let refused = sandbox.state("docker_container.absent", "{name: web}", false, &[]);
    assert_eq!(refused.comment, "Container is running, set force to True to forcibly remove it");
    sandbox.settle("docker_container.absent", "{name: web, force: true}");
    let gone = sandbox.state("docker_container.stopped", "{name: web}", false, &[]);
    assert_eq!(gone.comment, "The following container(s) are absent: web");
    sandbox.settle("docker_image.absent", "{name: 'a/web:1'}");
    let denied = sandbox.state("docker_image.present", "{name: b/none}", false, &[]);
    assert_eq!(denied.comment, "Encountered error pulling b/none: pull access denied");
    sandbox.settle("docker_volume.present", "{name: data, driver: local}");
    let other = sandbox.state("docker_volume.present", "{name: data, driver: nfs}", false, &[]);
    assert!(other.comment.contains("does not match specified driver ('nfs') and force is False"));
    sandbox.settle("docker_volume.absent", "{name: data}");
}

#[test]
fn a_daemon_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    let failed = sandbox.state("docker_container.running", "{name: web, image: a}", false, &[]);
    let place = sandbox.path.join("docker.sock");
    assert_eq!(failed.result, Some(false));
    assert!(failed.comment.starts_with(&format!("Docker does not answer at {place}: ")), "{}", failed.comment);
    assert_eq!(change(&failed, "state"), None);
}
