//! `debconf.*`: answers to the questions of Debian packages, before these ask them.
//!
//! What is set already is read from debconf's own database. An answer is never on a command line, and one that is a
//! password is never shown.

use std::collections::HashMap;

use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::source::variables;
use crate::states::{Args, Call, Command, Failed, Function, Host, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("debconf.set", set).requires(&["data"]),
    Function::new("debconf.set_file", set_file)
        .requires(&["source"])
        .takes(&["template", "context", "defaults"])
        .checks(|args| match args.text("template") {
            Ok(None) => Ok(()),
            Ok(Some(engine)) if engine == "jinja" => Ok(()),
            _ => Err("upshift has no template engine but `jinja`".to_owned()),
        }),
];

/// One answer to a question.
struct Answer {
    question: String,
    kind: String,
    value: String,
}

impl Answer {
    /// How it is shown.
    fn shown(&self) -> &str {
        if self.kind == "password" { "(password hidden)" } else { &self.value }
    }
}

fn set(call: &Call<'_>) -> Result<Return, Failed> {
    let package = call.args.name()?;
    let answers = answers(call.args)?;
    let known = Database::read();
    let (there, missing): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| known.has(&package, answer));
    if missing.is_empty() {
        return Ok(Return::unchanged("All specified answers are already set"));
    }
    let names = there.iter().fold(String::new(), |names, answer| names + &answer.question + " ");
    let comment = if names.is_empty() { names } else { format!("Unchanged answers: {names}") };
    if call.preview {
        let new = |answer: &&Answer| (answer.question.as_str().into(), format!("New value: {}", answer.shown()).into());
        return Ok(Return::would(missing.iter().map(new).collect(), comment));
    }
    let line = |answer: &&Answer| format!("{package} {} {} {}\n", answer.question, answer.kind, answer.value);
    if let Err(failed) = set_answers(call.host, missing.iter().map(line).collect::<String>()) {
        let comment = format!("Some settings failed to be applied. {}", failed.comment);
        return Err(Failed { comment, ..failed });
    }
    let now = Database::read();
    let failed: Vec<&str> =
        missing.iter().filter(|answer| !now.has(&package, answer)).map(|answer| answer.question.as_str()).collect();
    let became = |answer: &&Answer| {
        let is_set = !failed.contains(&answer.question.as_str());
        (answer.question.as_str().into(), if is_set { answer.shown() } else { "Failed to set!" }.into())
    };
    let changes: Dict = missing.iter().map(became).collect();
    if failed.is_empty() {
        return Ok(Return::changed(changes, comment));
    }
    Err(Failed { comment: "Some settings failed to be applied.".to_owned(), changes })
}

/// The answers that a state gives: `QUESTION: {type: …, value: …}`.
fn answers(args: Args<'_>) -> Result<Vec<Answer>, Failed> {
    let wrong = || Failed::from("`data` has to be a mapping of questions to `type` and `value`");
    let data = args.get("data").and_then(Data::as_dict).ok_or_else(wrong)?;
    let answer = |(question, said): (&Data, &Data)| {
        let kind = text(said.get("type")?)?;
        let value = said.get("value")?;
        let value = match kind.as_str() {
            "boolean" => value.is_true().to_string(),
            _ => text(value)?,
        };
        Some(Answer { question: text(question)?, kind, value })
    };
    data.entries.iter().map(answer).collect::<Option<_>>().ok_or_else(wrong)
}

fn set_file(call: &Call<'_>) -> Result<Return, Failed> {
    if call.preview {
        return Ok(Return::would(Dict::default(), "Debconf selections would have been set."));
    }
    let source = call.args.required("source")?;
    let mut content = call.host.content(&source)?;
    if call.args.get("template").is_some() {
        let variables = variables(&call.args, Dict::default(), Dict::default())?;
        content = call.host.rendered(&source, content, &variables.into())?;
    }
    set_answers(call.host, content)?;
    // Salt says that nothing has changed, as it has not looked.
    Ok(Return::unchanged("Debconf selections were set."))
}

/// Sets answers: lines of package, question, type and value.
pub(super) fn set_answers(host: &Host<'_>, lines: impl Into<Vec<u8>>) -> Result<(), Failed> {
    let lines = lines.into();
    let output = host.run_alone(|| {
        Command::new("debconf-set-selections", [] as [&str; 0])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(lines.clone())
            .quiet()
    })?;
    // It repeats a line that it does not understand, and that may have a password in it.
    if output.is_success() { Ok(()) } else { Err("Unable to set debconf selections.".into()) }
}

/// What debconf knows.
#[derive(Debug, Default)]
struct Database {
    /// The kinds of questions, by their templates.
    kinds: HashMap<String, String>,
    questions: HashMap<String, Question>,
}

#[derive(Debug)]
struct Question {
    template: String,
    owners: Vec<String>,
    value: String,
}

impl Database {
    fn read() -> Self {
        let mut database = Self::default();
        let read = |name: &str| fs::read(format!("/var/cache/debconf/{name}")).unwrap_or_default();
        database.add_templates(&String::from_utf8_lossy(&read("templates.dat")));
        for name in ["config.dat", "passwords.dat"] {
            database.add_questions(&String::from_utf8_lossy(&read(name)));
        }
        database
    }

    fn add_templates(&mut self, text: &str) {
        for stanza in text.split("\n\n") {
            if let (Some(name), Some(kind)) = (field(stanza, "Name"), field(stanza, "Type")) {
                self.kinds.insert(name.to_owned(), kind.to_owned());
            }
        }
    }

    fn add_questions(&mut self, text: &str) {
        for stanza in text.split("\n\n") {
            let Some(name) = field(stanza, "Name") else { continue };
            let owners = field(stanza, "Owners").unwrap_or_default().split(',');
            let question = Question {
                template: field(stanza, "Template").unwrap_or_default().to_owned(),
                owners: owners.map(|owner| owner.trim().to_owned()).collect(),
                value: field(stanza, "Value").unwrap_or_default().to_owned(),
            };
            self.questions.insert(name.to_owned(), question);
        }
    }

    /// Whether a package's question is answered like this.
    fn has(&self, package: &str, answer: &Answer) -> bool {
        let Some(question) = self.questions.get(&answer.question) else { return false };
        let kind = self.kinds.get(&question.template).map(String::as_str);
        question.owners.iter().any(|owner| owner == package)
            && kind == Some(&answer.kind)
            && question.value == answer.value.trim_start()
    }
}

fn field<'t>(stanza: &'t str, name: &str) -> Option<&'t str> {
    let value = |line: &'t str| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start);
    stanza.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, value: &str) -> Answer {
        Answer { question: "tool/ask".into(), kind: kind.into(), value: value.into() }
    }

    #[test]
    fn an_answer_is_there_only_for_its_package_and_of_its_type() {
        let mut database = Database::default();
        database.add_templates("Name: tool/ask\nDefault: true\nType: boolean\nOwners: tool/ask\n");
        database.add_questions("Name: tool/ask\nTemplate: tool/ask\nValue: true\nOwners: tool, other\nFlags: seen\n");
        assert!(database.has("tool", &answer("boolean", "true")));
        assert!(database.has("other", &answer("boolean", "true")));
        assert!(!database.has("tool", &answer("boolean", "false")));
        assert!(!database.has("tool", &answer("string", "true")));
        assert!(!database.has("nobody", &answer("boolean", "true")));
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(answer("password", "secret").shown(), "(password hidden)");
    }
}
