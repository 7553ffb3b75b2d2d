//! One HTTP GET over a connection of its own.
//!
//! A service is asked directly and says itself how it is: neither a proxy nor the place that it redirects
//! to answers in its name.

use std::net::SocketAddr;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_native_tls::TlsConnector;

/// What a GET needs, made once.
#[derive(Debug, Clone)]
pub(super) struct Get {
    url: Uri,
    address: SocketAddr,
    /// Missing for `http`.
    tls: Option<TlsConnector>,
}

impl Get {
    /// A GET of this URL from this address.
    pub(super) fn new(url: &str, address: std::net::IpAddr) -> Result<Self, String> {
        let url: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        let secure = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = secure.then(tokio_native_tls::native_tls::TlsConnector::new).transpose();
        let tls = tls.map_err(|error| error.to_string())?.map(TlsConnector::from);
        Ok(Self { url, address: SocketAddr::new(address, port), tls })
    }

    /// Asks; a status below 400 is an answer.
    pub(super) async fn ask(&self) -> Result<(), Failure> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| Failure::of(&error))?;
        match &self.tls {
            None => self.over(stream).await,
            Some(tls) => {
                let name = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
                let stream = tls.connect(name, stream).await.map_err(|error| Failure::Said(error.to_string()))?;
                self.over(stream).await
            }
        }
    }

    async fn over(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Failure> {
        let said = |error: hyper::Error| Failure::Said(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        let request = Request::get(path)
            .header(HOST, authority)
            .header(USER_AGENT, "upshift")
            .body(Empty::<Bytes>::new())
            .map_err(|error| Failure::Said(error.to_string()))?;
        let answer = sender.send_request(request);
        tokio::pin!(answer, connection);
        // A connection may end with the answer already read.
        let answer = tokio::select! {
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        };
        match answer.map_err(said)?.status().as_u16() {
            0..400 => Ok(()),
            status => Err(Failure::Said(format!("HTTP status {status}"))),
        }
    }
}

/// Why a look was not answered.
#[derive(Debug)]
pub(super) enum Failure {
    /// The target, or the network, said so.
    Said(String),
    /// It could not be made: this machine has no more files, memory or ports.
    Ours,
}

impl Failure {
    /// Tells what this machine lacks from what the target says.
    pub(super) fn of(error: &std::io::Error) -> Self {
        use rustix::io::Errno;
        let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL, Errno::AGAIN];
        match Errno::from_io_error(error) {
            Some(errno) if ours.contains(&errno) => Self::Ours,
            _ if error.kind() == std::io::ErrorKind::ConnectionRefused => Self::Said("connection refused".into()),
            _ => Self::Said(error.to_string()),
        }
    }
}
