//! Answers from this host itself, without Salt. Nothing here changes it, except what a formula's own commands do.
//!
//! What Salt answers for a thing that is not there (an empty text, an empty mapping, `False`, an error) is answered
//! here too: formulas test for it.

mod accounts;
mod command;
mod dig;
mod files;
mod interfaces;
mod network;
mod packages;
mod process;
mod services;
mod system;

use std::sync::LazyLock;

use minijinja::Value;
use minijinja::value::Kwargs;

use super::{Call, Facts, Refusal};
use crate::formula::template::functions::arguments::{Arguments, Signature};
use crate::formula::template::value::from_data;
use crate::formula::{Data, Dict};

pub use command::split;

/// This host.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

/// What an answer comes to.
type Answer = Result<Data, Refusal>;

/// A function of Salt's that is answered from the host.
struct Function {
    /// `module.function`.
    name: &'static str,
    signature: Signature,
    answer: fn(&Arguments) -> Answer,
}

const fn function(name: &'static str, signature: Signature, answer: fn(&Arguments) -> Answer) -> Function {
    Function { name, signature, answer }
}

const MODULES: &[&[Function]] = &[
    command::FUNCTIONS,
    dig::FUNCTIONS,
    files::FUNCTIONS,
    accounts::FUNCTIONS,
    network::FUNCTIONS,
    packages::FUNCTIONS,
    services::FUNCTIONS,
    system::FUNCTIONS,
];

/// The names of the functions answered here.
pub static FUNCTIONS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| MODULES.iter().copied().flatten().map(|function| function.name).collect());

impl Facts for Host {
    fn answer(&self, call: &Call) -> Answer {
        let mut all = MODULES.iter().copied().flatten();
        let function = all.find(|function| function.name == call.function).ok_or(Refusal::Unknown)?;
        let mut args: Vec<Value> = call.args.iter().map(from_data).collect();
        if !call.kwargs.is_empty() {
            let named = call.kwargs.iter().map(|(name, value)| (name.clone(), from_data(value)));
            args.push(named.collect::<Kwargs>().into());
        }
        let own_name = call.function.rsplit('.').next().unwrap_or_default();
        let arguments = Arguments::bind(function.signature, own_name, &args)?;
        (function.answer)(&arguments)
    }
}

impl From<minijinja::Error> for Refusal {
    fn from(error: minijinja::Error) -> Self {
        Self::Failed(error.detail().map_or_else(|| error.to_string(), str::to_owned))
    }
}

fn failed<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Failed(message.into()))
}

/// A plain mapping with keys of text.
fn mapping(entries: impl IntoIterator<Item = (&'static str, Data)>) -> Data {
    let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Dict { entries, is_ordered: false }.into()
}

/// A list of texts.
fn texts<T: Into<Data>>(texts: impl IntoIterator<Item = T>) -> Data {
    texts.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(function: &str, args: &[&str]) -> Answer {
        let args = args.iter().map(|arg| Data::from(*arg)).collect();
        Host.answer(&Call { function: function.to_owned(), args, kwargs: Vec::new() })
    }

    #[test]
    fn what_is_not_there_gets_salts_answer() {
        assert_eq!(ask("user.info", &["nobody-has-this-name"]), Ok(mapping([])));
        assert_eq!(ask("group.info", &["nobody-has-this-name"]), Ok(mapping([])));
        assert_eq!(ask("file.file_exists", &["/no/such/file"]), Ok(false.into()));
        assert_eq!(ask("cmd.which", &["no-such-program"]), Ok(Data::None));
        assert_eq!(ask("environ.get", &["NO_SUCH_VARIABLE"]), Ok("".into()));
        assert!(matches!(ask("file.get_mode", &["/no/such/file"]), Err(Refusal::Failed(_))));
        assert_eq!(ask("cmd.runn", &["id"]), Err(Refusal::Unknown));
    }

    #[test]
    fn a_file_is_searched_and_its_checksum_known_by_its_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# a\nb c\n").unwrap();
        let of_file = |function: &str, args: &[&str]| {
            ask(function, &[&[file.path().to_str().unwrap()], args].concat()).unwrap() == true.into()
        };
        assert!(of_file("file.search", &["^b"]) && !of_file("file.search", &["^c"]));
        assert!(of_file("file.search", &["B", "ignorecase"]) && !of_file("file.search", &["B"]));
        assert!(of_file("file.contains_regex", &["^a", "# "]) && !of_file("file.contains_regex", &["^a"]));
        let sum = ask("file.get_hash", &[file.path().to_str().unwrap(), "md5"]).unwrap();
        assert!(of_file("file.check_hash", &[sum.as_str().unwrap()]));
        assert!(of_file("file.check_hash", &[&format!("md5={}", sum.as_str().unwrap())]));
        assert!(!of_file("file.check_hash", &[&"0".repeat(40)]));
        assert!(matches!(ask("file.search", &["/no/such/file", "a"]), Err(Refusal::Failed(_))));
    }

    #[test]
    fn a_command_runs_without_a_shell_unless_it_is_asked_for() {
        assert_eq!(ask("cmd.run", &["echo 'a  b' | cat"]), Ok("a  b | cat".into()));
        assert_eq!(ask("cmd.shell", &["echo 'a  b' | cat"]), Ok("a  b".into()));
        assert_eq!(ask("cmd.retcode", &["false"]), Ok(Data::Int(1)));
    }
}
