//! The daemon: HTTP over a Unix socket.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, time::Duration as Patience,
};

use crate::formula::Data;
use crate::states::arguments::text;
use crate::states::{Call, Failed};

/// Where the daemon listens, unless the configuration says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// How long the daemon may take over an answer that no network is needed for.
const PATIENCE: Duration = Duration::from_mins(2);

/// The daemon of a host.
pub(super) struct Engine {
    socket: Utf8PathBuf,
    agent: ureq::Agent,
}

/// What the daemon keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Container,
    Image,
    Network,
    Volume,
}

impl Thing {
    /// Where the one of this name is.
    pub(super) fn path(self, name: &str) -> String {
        let folder = match self {
            Self::Container => "containers",
            Self::Image => "images",
            Self::Network => "networks",
            Self::Volume => "volumes",
        };
        format!("/{folder}/{}", part(name))
    }
}

/// From this length on, the beginning of an ID is meant as one: the daemon's own tools show so much of it.
const SHORT_ID: usize = 12;

/// Whether the daemon took a name for the beginning of an ID. It does when nothing has that name, and one container in 256
/// has an ID that begins with `db`.
fn is_by_chance(name: &str, found: &Data) -> bool {
    let has_name = |of: &Data| of.as_str().is_some_and(|of| of.trim_start_matches('/') == name);
    let is_begun = |id: &Data| id.as_str().is_some_and(|id| id.trim_start_matches("sha256:").starts_with(name));
    let is_tagged = |tags: &Data| {
        let mut names = tags.as_list().unwrap_or_default().iter().filter_map(Data::as_str);
        names.any(|tag| tag.rsplit_once(':').is_some_and(|(image, _)| image == name))
    };
    name.len() < SHORT_ID
        && found.get("Id").is_some_and(is_begun)
        && !found.get("Name").is_some_and(has_name)
        && !found.get("RepoTags").is_some_and(is_tagged)
}

/// What the daemon said: an HTTP status and a text, which is JSON most of the time.
struct Answer {
    status: u16,
    text: String,
}

impl Engine {
    /// The daemon that a state is about.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Failed> {
        let url = call.host.formula.config("docker.url").as_ref().and_then(text);
        let socket = match url.as_deref() {
            None => SOCKET,
            Some(url) => url
                .strip_prefix("unix://")
                .ok_or_else(|| format!("upshift reaches Docker by a Unix socket only, not by `docker.url: {url}`"))?,
        };
        Ok(Self::at(Utf8Path::new(socket)))
    }

    pub(super) fn at(socket: &Utf8Path) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_idle_connections(0).proxy(None);
        let connector = Unix(socket.to_owned());
        let agent = ureq::Agent::with_parts(config.build(), connector, DefaultResolver::default());
        Self { socket: socket.to_owned(), agent }
    }

    /// What the daemon says of something; `None` if it has no such thing.
    pub(super) fn inspect(&self, thing: Thing, name: &str) -> Result<Option<Data>, String> {
        let described = if matches!(thing, Thing::Container | Thing::Image) { "/json" } else { "" };
        let answer = self.ask("GET", &(thing.path(name) + described), None, Some(PATIENCE))?;
        if answer.status == 404 {
            return Ok(None);
        }
        Ok(Some(answer.data()?).filter(|found| !is_by_chance(name, found)))
    }

    /// Has the daemon do something.
    pub(super) fn act(&self, method: &str, path: &str, body: Option<&Data>) -> Result<Data, String> {
        self.ask(method, path, body, Some(PATIENCE))?.data()
    }

    /// The same where the network may take any time, and what is said comes in lines, the last of which may be an error.
    pub(super) fn pull(&self, path: &str) -> Result<Vec<Data>, String> {
        let answer = self.ask("POST", path, None, None)?;
        if !answer.is_fine() {
            return Err(answer.why());
        }
        let lines = answer.text.lines().filter(|line| !line.trim().is_empty());
        let lines: Vec<Data> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        match lines.iter().find_map(|line| line.get("error")) {
            Some(error) => Err(text(error).unwrap_or_default()),
            None => Ok(lines),
        }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Data>, patience: Option<Duration>) -> Result<Answer, String> {
        let failed = |why: String| format!("Docker does not answer at {}: {why}", self.socket);
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://127.0.0.1{path}"));
        let body = match body {
            None => String::new(),
            Some(body) => {
                request = request.header("Content-Type", "application/json");
                serde_json::to_string(body).map_err(|error| failed(error.to_string()))?
            }
        };
        let request = request.body(body).map_err(|error| failed(error.to_string()))?;
        let request = self.agent.configure_request(request).timeout_recv_response(patience).build();
        let why = |error: ureq::Error| match error {
            ureq::Error::Io(error) => failed(error.to_string()),
            error => failed(error.to_string()),
        };
        let mut answer = self.agent.run(request).map_err(why)?;
        let text = answer.body_mut().with_config().limit(u64::MAX).lossy_utf8(true).read_to_string();
        Ok(Answer { status: answer.status().as_u16(), text: text.map_err(why)? })
    }
}

impl Answer {
    fn is_fine(&self) -> bool {
        // What is so already is 304.
        (200..300).contains(&self.status) || self.status == 304
    }

    fn data(&self) -> Result<Data, String> {
        if !self.is_fine() {
            return Err(self.why());
        }
        if self.text.trim().is_empty() {
            return Ok(Data::None);
        }
        serde_json::from_str(&self.text).map_err(|error| format!("Docker said something that is no JSON: {error}"))
    }

    fn why(&self) -> String {
        let said: Option<Data> = serde_json::from_str(&self.text).ok();
        let message = said.as_ref().and_then(|said| said.get("message")).and_then(text);
        message.unwrap_or_else(|| format!("HTTP status {}: {}", self.status, self.text.trim()))
    }
}

/// What needs no escapes in a path: names of images have slashes and colons.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b':').remove(b'@');

/// A part of a path.
pub(super) fn part(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Connects to a socket, whatever the address is.
#[derive(Debug)]
struct Unix(Utf8PathBuf);

impl Connector for Unix {
    type Out = Stream;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Stream>, ureq::Error> {
        let stream = UnixStream::connect(&self.0)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Stream { stream, buffers }))
    }
}

struct Stream {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// What a socket takes for a timeout.
fn limit(patience: Patience) -> Option<Duration> {
    match patience {
        Patience::NotHappening => None,
        Patience::Exact(patience) => Some(patience.max(Duration::from_millis(1))),
    }
}

fn timed_out(error: io::Error, timeout: &NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.set_write_timeout(limit(timeout.after))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output).map_err(|error| timed_out(error, &timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.set_read_timeout(limit(timeout.after))?;
        let length = self.stream.read(self.buffers.input_append_buf()).map_err(|error| timed_out(error, &timeout))?;
        self.buffers.input_appended(length);
        Ok(length > 0)
    }

    fn is_open(&mut self) -> bool {
        // Every question has a connection of its own.
        false
    }
}
