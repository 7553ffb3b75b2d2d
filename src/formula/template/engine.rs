//! One minijinja environment for one host: loader, limits, globals, and what a template finds when it is rendered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Template, UndefinedBehavior, Value};

use super::imports::{self, Paths};
use super::salt::Salt;
use super::syntax::{self, Options};
use super::{Context, functions, trouble, value};
use crate::formula::error::{Kind, Result};
use crate::formula::facts::{Call, Facts};
use crate::formula::roots::Roots;
use crate::formula::{Data, Error as Wrong};

/// Instructions one template may run, those of its imports included, each worth 64 bytes of text: a minute of Jinja, a
/// second of ours.
const FUEL: u64 = 10_000_000;
/// Templates, macros and loops within one another.
const DEEPEST: usize = 300;

/// Renders the templates of one host.
#[derive(Debug)]
pub struct Engine {
    env: Environment<'static>,
    context: Arc<Context>,
    paths: Shared,
    /// Held by whoever renders: where relative names begin is that of one rendering.
    turn: Mutex<()>,
}

/// What the callbacks of an environment share with the engine: where relative names begin.
pub(super) type Shared = Arc<Mutex<Paths>>;

/// The variables of a template.
type Variables = BTreeMap<String, Value>;

pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, Paths> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// An engine for one host.
    pub fn new(context: Context) -> Self {
        let context = Arc::new(context);
        let paths = Shared::default();
        let mut env = Environment::new();
        env.set_debug(true);
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(DEEPEST);
        env.set_unknown_method_callback(super::strings::method);
        env.set_formatter(print);
        let (roots, facts) = (context.roots.clone(), Arc::clone(&context.facts));
        env.set_loader(move |name| load(&roots, &*facts, name));
        let own = Arc::clone(&paths);
        env.set_path_join_callback(move |name, _| lock(&own).resolve(name).into());
        super::operators::add(&mut env);
        super::filters::add(&mut env);
        super::filters::add_host(&mut env, &context);
        super::tests::add(&mut env);
        super::globals::add(&mut env);
        imports::add(&mut env, &paths);
        env.add_global("salt", Value::from_object(Salt(Arc::clone(&context))));
        // What a template changes in these, functions do not see, and the other way round.
        env.add_global("pillar", value::deep_copy(&context.pillar).unwrap_or_default());
        env.add_global("grains", value::deep_copy(&context.grains).unwrap_or_default());
        env.add_global("opts", context.opts.clone());
        env.add_global("saltenv", "base");
        if context.python2 {
            env.add_global(value::PYTHON2, true);
        }
        Self { env, context, paths, turn: Mutex::default() }
    }

    /// What the engine was made with.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Renders an SLS file: `path` within the roots, `sls` as it is named, and more variables that it finds.
    ///
    /// # Errors
    /// When there is no such file, or the template fails.
    pub fn render_sls(&self, sls: &str, path: &str, more: &Data) -> Result<String> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let here = if folder.is_empty() { "." } else { folder };
        let mut variables = Variables::from_iter([
            ("sls".to_owned(), Value::from(sls)),
            ("tplpath".to_owned(), Value::from(path)),
            ("tplfile".to_owned(), Value::from(path)),
            ("tpldir".to_owned(), Value::from(here)),
            ("tpldot".to_owned(), Value::from(folder.replace('/', "."))),
            ("slspath".to_owned(), Value::from(folder)),
            ("slsdotpath".to_owned(), Value::from(folder.replace('/', "."))),
            ("slscolonpath".to_owned(), Value::from(folder.replace('/', ":"))),
            ("sls_path".to_owned(), Value::from(folder.replace('/', "_"))),
        ]);
        variables.extend(named(more));
        self.render(path, variables)
    }

    /// Renders a file template with the variables that `file.managed` gives it.
    ///
    /// # Errors
    /// When there is no such file, or the template fails.
    pub fn render_file(&self, path: &str, variables: &Data) -> Result<String> {
        self.render(path, named(variables).collect())
    }

    /// Calls one of Salt's functions, as `salt['…'](…)` does in a template.
    ///
    /// # Errors
    /// When nobody has it, or it fails.
    pub fn call(&self, function: &str, args: &[Data], named: &[(String, Data)]) -> Result<Data> {
        let mut args: Vec<Value> = args.iter().map(value::from_data).collect();
        if !named.is_empty() {
            args.push(
                named.iter().map(|(name, given)| (name.clone(), value::from_data(given))).collect::<Kwargs>().into(),
            );
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = functions::call(&self.context, &mut self.env.empty_state(), function, &args);
        let answer = answer.and_then(|answer| value::to_data(&answer));
        answer.map_err(|error| trouble::explain(&error, &self.context.roots))
    }

    /// Gives a grain another value, or takes it away, for the functions that templates call. As in Salt, their variable
    /// `grains` stays as it was.
    pub fn set_grain(&self, name: &str, value: Option<&Data>) {
        let Some(grains) = value::as_dict(&self.context.grains) else { return };
        match value {
            Some(value) => grains.insert(name.into(), value::from_data(&value.clone().unordered())),
            None => drop(grains.remove(&name.into())),
        }
    }

    /// Renders a template that is no file of the roots; `name` is what errors call it.
    ///
    /// # Errors
    /// When the template fails.
    pub fn render_text(&self, name: &str, text: &str, variables: &Data) -> Result<String> {
        let translated = translated_file(name, text);
        let source = translated.and_then(|source| {
            let template = self.env.template_from_named_str(name, &source)?;
            self.run(&template, named(variables).collect(), text.ends_with('\n'))
        });
        source.map_err(|error| trouble::explain(&error, &self.context.roots))
    }

    fn render(&self, path: &str, variables: Variables) -> Result<String> {
        let ends = || self.context.roots.read(path).ok().flatten().is_some_and(|text| text.ends_with(b"\n"));
        let rendered = self.env.get_template(path).and_then(|template| self.run(&template, variables, ends()));
        rendered.map_err(|error| trouble::explain(&error, &self.context.roots))
    }

    /// Renders a template; the line end that Jinja takes from the end is put back if it `ends` with one.
    fn run(
        &self,
        template: &Template<'_, '_>,
        mut variables: Variables,
        ends: bool,
    ) -> std::result::Result<String, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = variables.get("loop").cloned() {
            variables.insert(syntax::LOOP.to_owned(), value);
        }
        let _work = value::Work::begin();
        *lock(&self.paths) = Paths::from(variables.get("tpldir").and_then(Value::as_str));
        let mut text = template.render(Value::from(variables))?;
        value::spend(1)?;
        if ends {
            text.push('\n');
        }
        Ok(text)
    }
}

/// Prints a value as Salt does.
fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> std::result::Result<(), Error> {
    // Minijinja has refused what is an error; what is left is nothing (`a if b`).
    if value.is_undefined() {
        return Ok(());
    }
    let text = if let Some(text) = value.as_str().filter(|_| value.kind() == ValueKind::String) {
        Cow::Borrowed(text)
    } else {
        for (key, inner) in value::undefined_entries(value) {
            if state.format(inner).is_err() {
                let message = format!("the value of {} in a mapping that is printed is undefined", value::repr(&key));
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
        }
        Cow::Owned(value::printed(value))
    };
    let is_escaped = *state.auto_escape() == AutoEscape::Html && !value.is_safe();
    let written = if is_escaped { out.write_str(&super::operators::escaped(&text)) } else { out.write_str(&text) };
    written.map_err(|_| Error::new(ErrorKind::WriteFailure, "cannot write"))
}

/// The entries of a mapping as variables.
fn named(variables: &Data) -> impl Iterator<Item = (String, Value)> {
    let entries = value::entries(&value::from_data(variables)).into_iter();
    entries.map(|(name, value)| (value::text(&name), value))
}

/// What minijinja compiles for a template; filters and tests that nobody has are refused as Jinja does it.
pub(super) fn translated(text: &str, options: Options) -> std::result::Result<String, syntax::Error> {
    static KNOWN: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut env = Environment::new();
        super::filters::add(&mut env);
        super::tests::add(&mut env);
        env
    });
    let is_not = |error: Option<Error>, unknown: ErrorKind| error.is_none_or(|error| error.kind() != unknown);
    let known = syntax::Known {
        is_filter: |name: &str| is_not(KNOWN.empty_state().apply_filter(name, &[]).err(), ErrorKind::UnknownFilter),
        is_test: |name: &str| is_not(KNOWN.empty_state().perform_test(name, &[]).err(), ErrorKind::UnknownTest),
    };
    syntax::translate(text, options, &known)
}

/// What minijinja compiles for a file of the roots, or one of the host: Salt takes a path from `/` on as such.
fn load(roots: &Roots, facts: &dyn Facts, name: &str) -> std::result::Result<Option<String>, Error> {
    if name.starts_with('/') {
        let call = Call { function: "file.read".to_owned(), args: vec![name.into()], kwargs: Vec::new() };
        // A file that cannot be read is not there for Salt either.
        let Ok(Data::Str(text)) = facts.answer(&call) else { return Ok(None) };
        return translated_file(name, &text).map(Some);
    }
    let read = roots.text(name).map_err(|error| Wrong::new(Kind::Missing, error.to_string()).at(name, 0, None));
    let Some(text) = read.map_err(trouble::carry)? else { return Ok(None) };
    translated_file(name, &text).map(Some)
}

/// What minijinja compiles for a file, which may have settings of its own.
fn translated_file(name: &str, text: &str) -> std::result::Result<String, Error> {
    let (text, options) = options(text);
    translated(&text, options).map_err(|error| {
        let line = text.lines().nth(error.line.saturating_sub(1)).map(str::to_owned);
        trouble::carry(Wrong::new(Kind::TemplateSyntax, error.message).at(name, error.line, line))
    })
}

/// The settings a file gives for itself in a first line `#jinja2: {…}` (or a second one, after a renderer's), which goes.
///
/// Line ends become `\n`, as in Jinja.
fn options(text: &str) -> (String, Options) {
    let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() };
    let mut options = Options::default();
    let begin = match text.split_once('\n') {
        Some((first, _)) if first.starts_with("#!") && !first.starts_with("#!/") => first.len() + 1,
        _ => 0,
    };
    let Some(settings) = text[begin..].strip_prefix("#jinja2:") else { return (text, options) };
    let end = settings.find('\n').map_or(settings.len(), |end| end + 1);
    let Ok(serde_json::Value::Object(given)) = serde_json::from_str(&settings[..end]) else { return (text, options) };
    let is_set = |name: &str| given.get(name).is_some_and(|value| value.as_bool() == Some(true));
    options.trim_blocks = is_set("trim_blocks");
    options.lstrip_blocks = is_set("lstrip_blocks");
    let rest = settings[end..].to_owned();
    (text[..begin].to_owned() + &rest, options)
}
