//! Fetches what formulas name by an `http://` or `https://` address.

use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::states::Failed;

/// How long a server may take to accept a connection, and to say something.
const PATIENCE: Duration = Duration::from_mins(1);

/// The content behind an address; `verify` is whether the server has to prove who it is.
pub(super) fn get(address: &str, verify: bool) -> Result<Vec<u8>, Failed> {
    let failed =
        |error: ureq::Error| Failed::from(format!("Failed to cache {}: {}", redacted(address), reason(&error)));
    let answer = agent(verify).get(address).call().map_err(failed)?;
    answer.into_body().into_with_config().limit(u64::MAX).read_to_vec().map_err(failed)
}

/// Whether there is something behind an address.
pub(super) fn is_there(address: &str) -> bool {
    agent(true).head(address).call().is_ok()
}

/// Posts JSON to an address.
///
/// # Errors
/// Why nobody took it, without what is secret in the address.
pub fn post(address: &str, json: &str, patience: Duration) -> Result<(), String> {
    let request = agent(true).post(address).header("content-type", "application/json");
    let sent = request.config().timeout_global(Some(patience)).build().send(json);
    sent.map(drop).map_err(|error| format!("{}: {}", host(address), reason(&error)))
}

/// The host of an address: path and query of a webhook are its password.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// Something to ask a server.
pub(super) struct Query<'a> {
    pub(super) address: &'a str,
    pub(super) method: &'a str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    pub(super) verify: bool,
}

/// What a server said, whatever it thought of the question.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

/// Asks a server; only that nobody answers is an error.
pub(super) fn ask(query: &Query<'_>) -> Result<Answer, String> {
    let mut request = ureq::http::Request::builder().method(query.method).uri(query.address);
    for (name, value) in &query.headers {
        request = request.header(name, value);
    }
    let failed = |error: &ureq::Error| format!("{}: {}", redacted(query.address), reason(error));
    let agent = agent(query.verify);
    let body = query.body.clone().unwrap_or_default();
    let request = request.body(body).map_err(|error| failed(&error.into()))?;
    let request = agent.configure_request(request).http_status_as_error(false).allow_non_standard_methods(true).build();
    let mut answer = agent.run(request).map_err(|error| failed(&error))?;
    let text = answer.body_mut().with_config().limit(u64::MAX).lossy_utf8(true).read_to_string();
    Ok(Answer { status: answer.status().as_u16(), text: text.map_err(|error| failed(&error))? })
}

fn agent(verify: bool) -> ureq::Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::NativeTls)
        .root_certs(RootCerts::PlatformVerifier)
        .disable_verification(!verify)
        .build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .user_agent("upshift");
    config.build().new_agent()
}

fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(status) => format!("HTTP status {status}"),
        error => error.to_string(),
    }
}

/// An address without the name and password in it.
pub(super) fn redacted(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('/').map_or(rest, |(host, _)| host).rfind('@') {
            Some(at) => format!("{scheme}://<redacted>@{}", rest.get(at + 1..).unwrap_or_default()),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_repeated() {
        assert_eq!(redacted("https://me:secret@host/file@1"), "https://<redacted>@host/file@1");
        assert_eq!(redacted("https://host/file@1"), "https://host/file@1");
    }
}
