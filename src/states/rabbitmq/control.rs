//! Talks to the broker.

use crate::formula::Data;
use crate::states::{Call, Command, Failed, Host};

/// The broker of a host, and the user of the host that its commands run as.
pub(super) struct Broker<'a> {
    host: &'a Host<'a>,
    run_as: Option<String>,
}

impl<'a> Broker<'a> {
    /// The broker that a state is about.
    pub(super) fn of(call: &Call<'a>) -> Result<Self, Failed> {
        Ok(Self { host: call.host, run_as: call.args.text("runas")? })
    }

    /// What a command of the broker says. Nobody hears it.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        self.run("rabbitmqctl", arguments, None)
    }

    /// A command that reads a password.
    pub(super) fn ask_with(&self, arguments: &[&str], password: &str) -> Result<String, String> {
        self.run("rabbitmqctl", arguments, Some(password))
    }

    /// A command about plugins.
    pub(super) fn plugins(&self, arguments: &[&str]) -> Result<String, String> {
        self.run("rabbitmq-plugins", arguments, None)
    }

    /// What is listed, as mappings; `names` are the columns of brokers that cannot say it as JSON.
    pub(super) fn list(&self, arguments: &[&str], names: &[&str]) -> Result<Vec<Data>, String> {
        let json = self.ask(&[arguments, &["--formatter=json"]].concat());
        if let Some(rows) = json.ok().and_then(|json| rows(&json)) {
            return Ok(rows);
        }
        let text = self.ask(&[&arguments[..1], &["-q"], &arguments[1..]].concat())?;
        Ok(columns(&text, names))
    }

    fn run(&self, program: &str, arguments: &[&str], password: Option<&str>) -> Result<String, String> {
        let mut command = Command::new(program, arguments).quiet();
        if let Some(password) = password {
            command = command.stdin(format!("{password}\n"));
        }
        if let Some(name) = &self.run_as {
            let user = self.host.user(name).ok_or_else(|| format!("User '{name}' is not available"))?;
            user.runs(command.process());
        }
        let output = self.host.run(command).map_err(|failed| failed.comment)?;
        if output.is_success() {
            return Ok(output.stdout.trim().to_owned());
        }
        let why = cause(&output.stderr).unwrap_or_else(|| output.why());
        Err(format!("RabbitMQ command failed: {why}"))
    }
}

/// The line that says what is wrong; diagnostics follow it.
fn cause(stderr: &str) -> Option<String> {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.find(|line| line.starts_with("Error"))?;
    let rest = if error == "Error:" { lines.next() } else { None };
    Some(rest.unwrap_or(error).trim_start_matches("Error:").trim_start().to_owned())
}

/// The rows of a list in JSON, before which there may be a line for people.
fn rows(json: &str) -> Option<Vec<Data>> {
    let start = json.find('[')?;
    let rows: Data = serde_json::from_str(json[start..].trim()).ok()?;
    rows.as_list().map(<[Data]>::to_vec)
}

/// The rows of a list with tabs between the columns.
fn columns(text: &str, names: &[&str]) -> Vec<Data> {
    let lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let rows = lines.filter(|fields| fields.len() == names.len() && fields.as_slice() != names);
    let row = |fields: Vec<&str>| {
        let pairs = names.iter().zip(fields).map(|(name, field)| (*name, Data::from(field)));
        crate::states::returns::dict(pairs).into()
    };
    rows.map(row).collect()
}

/// A text of a row; a number as text.
pub(super) fn field(row: &Data, name: &str) -> String {
    row.get(name).and_then(crate::states::arguments::text).unwrap_or_default()
}

/// The tags of a user: a list in JSON, `[a, b]` in text.
pub(super) fn tags(row: &Data) -> Vec<String> {
    match row.get("tags") {
        Some(Data::List(tags)) => tags.iter().filter_map(Data::as_str).map(str::to_owned).collect(),
        Some(tags) => {
            let tags = tags.as_str().unwrap_or_default().trim_matches(['[', ']']);
            tags.split([',', ' ']).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
        }
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_not_the_diagnostics() {
        let stderr = "Error: unable to connect\n\nDIAGNOSTICS\n * cookie hash: x\n";
        assert_eq!(cause(stderr).as_deref(), Some("unable to connect"));
        assert_eq!(cause("Error:\n{:nope}\n").as_deref(), Some("{:nope}"));
        assert_eq!(cause("Virtual host '/x' does not exist\n"), None);
    }

    #[test]
    fn lists_are_read_from_old_and_new_brokers() {
        let json =
            "Listing users ...\n[{\"user\":\"guest\",\"tags\":[\"administrator\"]},{\"user\":\"a\",\"tags\":[]}]\n";
        let new = rows(json.strip_prefix("Listing users ...\n").unwrap()).unwrap();
        let old = columns("user\ttags\nguest\t[administrator]\na\t[]\n...done.\n", &["user", "tags"]);
        for rows in [new, old] {
            let users: Vec<_> = rows.iter().map(|row| (field(row, "user"), tags(row))).collect();
            assert_eq!(users, [("guest".into(), vec!["administrator".to_owned()]), ("a".into(), vec![])]);
        }
        assert_eq!(rows("Error: nothing"), None);
    }
}
