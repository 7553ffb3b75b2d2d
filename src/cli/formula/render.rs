//! `upshift formula render`: the text that a template becomes.

use camino::{Utf8Path, Utf8PathBuf};

use super::files::{self, Files, Minion, Pillar};
use crate::error::{Exit, Result};
use crate::formula::compile::Compiler;
use crate::formula::{Data, Dict};

#[derive(Debug, clap::Args)]
pub(super) struct Render {
    /// The template: a path within the formulas such as `nova/files/nova.conf.j2` (or one on disk that is in there)
    file: Utf8PathBuf,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    pillar: Pillar,
    #[command(flatten)]
    minion: Minion,
    /// The variables a file template gets from its state (`context` and `defaults`): a YAML file, or a mapping
    #[arg(long, value_name = "FILE|YAML")]
    context: Option<String>,
}

impl Render {
    pub(super) fn main(self) -> Result<Exit> {
        let subject = self.minion.read()?;
        let pillar = self.pillar.of(&subject)?;
        let path = self.path();
        let compiler = Compiler::new(subject, self.files.read()?, pillar);
        let text = if let Some(name) = path.strip_suffix(".sls") {
            let name = name.replace('/', ".");
            compiler.render_sls(name.strip_suffix(".init").unwrap_or(&name), &path)?
        } else {
            let context = self.context.as_deref();
            let context = context.map_or_else(|| Ok(Data::default()), |given| files::mapping("context", given))?;
            compiler.render_file(&path, &variables(&path, &context))?
        };
        super::super::print(&text)?;
        Ok(Exit::Done)
    }

    /// The path within the roots.
    fn path(&self) -> String {
        let formulas = Utf8PathBuf::from("formulas");
        let default = self.files.roots.is_empty().then_some(&formulas);
        let mut roots = self.files.roots.iter().chain(default);
        let within = roots.find_map(|root| self.file.strip_prefix(root).ok());
        within.unwrap_or_else(|| Utf8Path::new(&self.file)).to_string()
    }
}

/// What `file.managed` gives a template: the arguments of the state, and its context.
fn variables(path: &str, context: &Data) -> Data {
    let mut variables = Dict::default();
    for (name, value) in [
        ("name", Data::from(path)),
        ("source", format!("salt://{path}").into()),
        ("user", Data::None),
        ("group", Data::None),
        ("mode", Data::None),
        ("attrs", Data::None),
    ] {
        variables.insert(name, value);
    }
    variables.entries.extend(context.as_dict().into_iter().flat_map(|context| context.entries.clone()));
    variables.into()
}
