//! `http.query`: a server has to answer with a status or a text.
//!
//! A preview asks nobody, as in Salt.

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::formula::{Data, Dict};
use crate::states::arguments::{shown, text};
use crate::states::web::{self, Answer, Query};
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[Function::new("http.query", query)
    .takes(&[
        "data",
        "header_dict",
        "match",
        "match_type",
        "method",
        "password",
        "request_interval",
        "status",
        "status_type",
        "username",
        "verify_ssl",
        "wait_for",
    ])
    .checks(check)];

/// How long is waited between two questions if nothing is said, and between two looks at whether everything is to stop.
const PAUSE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);

fn check(args: &Args<'_>) -> Result<(), String> {
    if args.get("match").is_none() && args.get("status").is_none() {
        return Err("Either match text (match) or a status code (status) is required.".to_owned());
    }
    for (key, kinds) in [("match_type", &["string", "pcre"][..]), ("status_type", &["string", "pcre", "list"])] {
        let kind = args.text(key).map_err(|failed| failed.comment)?.unwrap_or_else(|| "string".to_owned());
        if !kinds.contains(&kind.as_str()) {
            return Err(format!("`{key}` has to be one of {}, not `{kind}`", kinds.join(", ")));
        }
    }
    let name = args.name().map_err(|failed| failed.comment)?;
    if name.starts_with("http://") || name.starts_with("https://") {
        Ok(())
    } else {
        Err(format!("upshift asks only `http://` and `https://`, not `{}`", web::redacted(&name)))
    }
}

fn query(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    if call.preview {
        let (_, said) = judged(args, &Answer::default())?;
        return Ok(Return::would(Dict::default(), format!("{said} (TEST MODE)")));
    }
    let name = args.name()?;
    let query = Query {
        address: &name,
        method: &args.text("method")?.unwrap_or_else(|| "GET".to_owned()).to_uppercase(),
        headers: headers(args)?,
        body: args.get("data").map(shown),
        verify: args.flag("verify_ssl", true),
    };
    let wait = args.seconds("wait_for")?;
    let pause = args.seconds("request_interval")?.unwrap_or(PAUSE);
    let begun = Instant::now();
    let answer = loop {
        let answer = web::ask(&query);
        let is_fine = answer.as_ref().is_ok_and(|answer| answer.status < 400);
        let is_over = wait.is_none_or(|wait| begun.elapsed() + pause > wait);
        if is_fine || is_over || !sleep(call, pause) {
            break answer;
        }
    };
    let (is_right, said) = judged(args, answer.as_ref().unwrap_or(&Answer::default()))?;
    match answer {
        Ok(_) if is_right => Ok(Return::unchanged(said)),
        Ok(answer) => Err(format!("{said} (the status is {})", answer.status).into()),
        Err(why) => Err(format!("{said} {why}").into()),
    }
}

/// Waits; `false` if everything is to stop meanwhile.
fn sleep(call: &Call<'_>, pause: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < pause {
        if call.host.listener().is_stopped() {
            return false;
        }
        thread::sleep(LOOK.min(pause.saturating_sub(begun.elapsed())));
    }
    true
}

fn headers(args: &Args<'_>) -> Result<Vec<(String, String)>, Failed> {
    let mut headers: Vec<(String, String)> = match args.get("header_dict") {
        None => Vec::new(),
        Some(Data::Dict(given)) => {
            given.entries.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
        }
        Some(_) => return Err("`header_dict` has to be a mapping".into()),
    };
    if let (Some(user), Some(password)) = (args.text("username")?, args.text("password")?) {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        headers.push(("Authorization".to_owned(), format!("Basic {pair}")));
    }
    Ok(headers)
}

/// Whether an answer is the wanted one, and what is said of it.
fn judged(args: &Args<'_>, answer: &Answer) -> Result<(bool, String), Failed> {
    let status = if answer.status == 0 { String::new() } else { answer.status.to_string() };
    let mut said = Vec::new();
    let mut is_right = true;
    let mut judge = |is_found: bool, what: String, was: [&str; 2]| {
        is_right &= is_found;
        said.push(format!("{what} {} found.", was[usize::from(is_found)]));
    };
    let was = ["was not", "was"];
    let kind = |key: &str| args.text(key).map(|kind| kind.unwrap_or_else(|| "string".to_owned()));
    if let Some(wanted) = args.get("match").map(shown) {
        match kind("match_type")?.as_str() {
            "pcre" => judge(finds(&wanted, &answer.text)?, format!("Match pattern \"{wanted}\""), was),
            _ => judge(answer.text.contains(&wanted), format!("Match text \"{wanted}\""), was),
        }
    }
    if let Some(wanted) = args.get("status") {
        match kind("status_type")?.as_str() {
            "pcre" => {
                let wanted = shown(wanted);
                judge(finds(&wanted, &status)?, format!("Status pattern \"{wanted}\""), was);
            }
            "list" => {
                let is_found = args.texts("status")?.contains(&status);
                let what = if is_found { format!("Status {status}") } else { format!("Statuses {}", shown(wanted)) };
                judge(is_found, what, ["were not", "was"]);
            }
            _ => judge(shown(wanted) == status, format!("Status {}", shown(wanted)), was),
        }
    }
    Ok((is_right, said.join(" ")))
}

fn finds(pattern: &str, text: &str) -> Result<bool, Failed> {
    let pattern = fancy_regex::Regex::new(pattern).map_err(|error| error.to_string())?;
    Ok(pattern.is_match(text).map_err(|error| error.to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::returns::dict;

    #[test]
    fn an_answer_needs_both_the_status_and_the_text() {
        let judge = |entries: &[(&str, Data)]| {
            let chunk = dict(entries.iter().cloned());
            judged(&Args::new(&chunk), &Answer { status: 201, text: "all is well".to_owned() }).unwrap()
        };
        let both = judge(&[("match", "well".into()), ("status", 201_i64.into())]);
        assert_eq!(both, (true, "Match text \"well\" was found. Status 201 was found.".into()));
        let one = judge(&[("match", "^is".into()), ("match_type", "pcre".into()), ("status", "201".into())]);
        assert_eq!(one, (false, "Match pattern \"^is\" was not found. Status 201 was found.".into()));
        let list = |codes: &[i64]| {
            let codes = codes.iter().map(|code| Data::from(*code)).collect::<Vec<_>>();
            judge(&[("status", codes.into()), ("status_type", "list".into())])
        };
        assert_eq!(list(&[200, 201]), (true, "Status 201 was found.".into()));
        assert_eq!(list(&[200]), (false, "Statuses [200] were not found.".into()));
    }

    #[test]
    fn a_server_is_asked_and_its_answer_is_heard_though_it_is_an_error() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/health", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy").unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let headers = vec![("X-Who".to_owned(), "me".to_owned())];
        let query = Query { address: &address, method: "PURGE", headers, body: None, verify: true };
        let answer = web::ask(&query).unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (503, "busy"));
        let asked = server.join().unwrap().to_lowercase();
        assert!(asked.starts_with("purge /health http/1.1\r\n") && asked.contains("x-who: me"), "{asked}");
    }
}
