//! The grammar of statements: Jinja's own, those of its extensions that Salt loads, and Salt's.

use super::Error;
use super::expressions::Tuple;
use super::lexer::Kind;
use super::parser::Parser;
use super::tree::{Body, Expr, ExprKind, For, Macro, Stmt, StmtKind, Target};

type Parsed<'s> = Result<StmtKind<'s>, Error>;

/// The words that are values and cannot be assigned to.
const VALUES: [&str; 6] = ["true", "false", "none", "True", "False", "None"];

impl<'s> Parser<'s> {
    /// The statement whose name is the current token, put at the end of a body.
    pub(super) fn statement(&mut self, body: &mut Body<'s>) -> Result<(), Error> {
        let line = self.current.line;
        let Kind::Name(tag) = self.current.kind else { return self.fail("tag name expected") };
        self.tags.push(tag);
        if tag == "print" {
            self.print(body)?;
        } else {
            let kind = self.statement_of(tag, line)?;
            body.push(Stmt { line, kind });
        }
        self.tags.pop();
        Ok(())
    }

    fn statement_of(&mut self, tag: &'s str, line: usize) -> Parsed<'s> {
        if !matches!(tag, "load_yaml" | "load_json" | "load_text" | "import_yaml" | "import_json" | "import_text") {
            return self.jinja_statement(tag, line);
        }
        self.next()?;
        let (kind, format) = tag.split_once('_').unwrap_or_default();
        if kind == "import" {
            let template = self.expression()?;
            self.expect_word("as")?;
            let target = self.assigned_name()?;
            let with_context = self.import_context(false)?;
            return Ok(StmtKind::ImportData { format, template, target, with_context });
        }
        self.expect_word("as")?;
        let target = self.target(Tuple { simple: true, ..Tuple::default() })?;
        Ok(StmtKind::Load { format, target, body: self.statements_to(&["endload"])? })
    }

    fn jinja_statement(&mut self, tag: &'s str, line: usize) -> Parsed<'s> {
        match tag {
            "for" => self.for_loop(),
            "if" => self.if_statement(),
            "block" => self.block(),
            "extends" => {
                self.next()?;
                Ok(StmtKind::Extends(self.expression()?))
            }
            "macro" => {
                self.next()?;
                let name = self.assigned_name()?;
                let params = self.signature()?;
                let body = self.statements_to(&["endmacro"])?;
                Ok(StmtKind::Macro(Box::new(Macro { name: Some(name), line, params, body })))
            }
            "call" => self.call_block(line),
            "include" => self.include(),
            "import" => {
                self.next()?;
                let template = self.expression()?;
                self.expect_word("as")?;
                let target = self.assigned_name()?;
                Ok(StmtKind::Import { template, target, with_context: self.import_context(false)? })
            }
            "from" => self.names_import(),
            "set" => self.set(),
            "with" => self.with(),
            "filter" => {
                self.next()?;
                let filter = self.filters()?;
                Ok(StmtKind::FilterBlock { filter, body: self.statements_to(&["endfilter"])? })
            }
            "autoescape" => {
                self.next()?;
                let value = self.expression()?;
                Ok(StmtKind::Autoescape(value, self.statements_to(&["endautoescape"])?))
            }
            "do" => {
                self.next()?;
                Ok(StmtKind::Do(self.tuple()?))
            }
            "break" => self.next().map(|_| StmtKind::Break),
            "continue" => self.next().map(|_| StmtKind::Continue),
            "profile" => {
                self.next()?;
                self.expect_word("as")?;
                let label = self.expression()?;
                Ok(StmtKind::Profile(label, self.statements_to(&["endprofile"])?))
            }
            unknown => {
                self.tags.pop();
                self.fail_looking_for_end(Some(unknown), line)
            }
        }
    }

    /// A name that is assigned to.
    fn assigned_name(&mut self) -> Result<&'s str, Error> {
        let (name, line) = self.expect_name()?;
        if VALUES.contains(&name) { Self::fail_at("can't assign to 'name'", line) } else { Ok(name) }
    }

    fn target(&mut self, kind: Tuple) -> Result<Target<'s>, Error> {
        let target = self.tuple_of(kind)?;
        let (class, line) = (target.kind.class_name(), target.line);
        match as_target(&target) {
            Some(target) => Ok(target),
            None => Self::fail_at(format!("can't assign to '{class}'"), line),
        }
    }

    /// `print a, b`: as many prints.
    fn print(&mut self, body: &mut Body<'s>) -> Result<(), Error> {
        self.next()?;
        let mut is_first = true;
        while self.current.kind != Kind::BlockEnd {
            if !is_first {
                self.expect_operator(",")?;
            }
            is_first = false;
            let value = self.expression()?;
            body.push(Stmt { line: value.line, kind: StmtKind::Print(value) });
        }
        Ok(())
    }

    fn for_loop(&mut self) -> Parsed<'s> {
        self.next()?;
        let target = self.target(Tuple { simple: true, ..Tuple::default() })?;
        self.expect_word("in")?;
        let items = self.tuple_of(Tuple { without_if: true, ..Tuple::default() })?;
        let test = if self.skip_name("if")? { Some(self.expression()?) } else { None };
        let is_recursive = self.skip_name("recursive")?;
        let body = self.statements(&["endfor", "else"])?;
        let is_over = self.next()?.kind == Kind::Name("endfor");
        let otherwise = if is_over { None } else { Some(self.statements_to(&["endfor"])?) };
        Ok(StmtKind::For(Box::new(For { target, items, test, is_recursive, body, otherwise })))
    }

    fn if_statement(&mut self) -> Parsed<'s> {
        self.next()?;
        let mut branches = Vec::new();
        loop {
            let test = self.tuple_of(Tuple { without_if: true, ..Tuple::default() })?;
            branches.push((test, self.statements(&["elif", "else", "endif"])?));
            if branches.len() > 500 {
                return self.fail("more than 500 branches of an `if`");
            }
            match self.next()?.kind {
                Kind::Name("elif") => {}
                Kind::Name("else") => {
                    let otherwise = Some(self.statements_to(&["endif"])?);
                    return Ok(StmtKind::If { branches, otherwise });
                }
                _ => return Ok(StmtKind::If { branches, otherwise: None }),
            }
        }
    }

    fn with(&mut self) -> Parsed<'s> {
        self.next()?;
        let mut assigned = Vec::new();
        while self.current.kind != Kind::BlockEnd {
            if !assigned.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target(Tuple { simple: true, ..Tuple::default() })?;
            self.expect_operator("=")?;
            assigned.push((target, self.expression()?));
        }
        Ok(StmtKind::With { assigned, body: self.statements_to(&["endwith"])? })
    }

    fn set(&mut self) -> Parsed<'s> {
        self.next()?;
        let target = self.target(Tuple { simple: true, namespaces: true, ..Tuple::default() })?;
        if self.skip_operator("=")? {
            return Ok(StmtKind::Set(target, self.tuple()?));
        }
        let filter = if self.skip_operator("|")? { Some(self.filters()?) } else { None };
        Ok(StmtKind::SetBlock { target, filter, body: self.statements_to(&["endset"])? })
    }

    fn block(&mut self) -> Parsed<'s> {
        self.next()?;
        let (name, _) = self.expect_name()?;
        self.skip_name("scoped")?;
        let is_required = self.skip_name("required")?;
        if self.is_operator("-") {
            return self.fail(
                "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an \
                 underscore instead.",
            );
        }
        let body = self.statements_to(&["endblock"])?;
        let is_blank =
            |stmt: &Stmt<'_>| matches!(stmt.kind, StmtKind::Data(text) if text.chars().all(super::lexer::is_space));
        if is_required && !body.iter().all(is_blank) {
            return self.fail("Required blocks can only contain comments or whitespace");
        }
        self.skip_name(name)?;
        Ok(StmtKind::Block { name, is_required, body })
    }

    /// `with context` or `without context`, or neither.
    fn import_context(&mut self, default: bool) -> Result<bool, Error> {
        let with = self.is_name("with");
        if (with || self.is_name("without")) && self.is_ahead(|next| *next == Kind::Name("context"))? {
            self.next()?;
            self.next()?;
            return Ok(with);
        }
        Ok(default)
    }

    fn include(&mut self) -> Parsed<'s> {
        self.next()?;
        let template = self.expression()?;
        let ignore_missing = self.is_name("ignore") && self.is_ahead(|next| *next == Kind::Name("missing"))?;
        if ignore_missing {
            self.next()?;
            self.next()?;
        }
        Ok(StmtKind::Include { template, ignore_missing, with_context: self.import_context(true)? })
    }

    fn names_import(&mut self) -> Parsed<'s> {
        self.next()?;
        let template = self.expression()?;
        self.expect_word("import")?;
        let mut names = Vec::new();
        let mut with_context = false;
        loop {
            if !names.is_empty() {
                self.expect_operator(",")?;
            }
            let is_context = matches!(self.current.kind, Kind::Name("with" | "without"));
            if is_context && self.is_ahead(|next| *next == Kind::Name("context"))? {
                with_context = self.import_context(false)?;
                break;
            }
            let line = self.current.line;
            let name = self.assigned_name()?;
            if name.starts_with('_') {
                return Self::fail_at("names starting with an underline can not be imported", line);
            }
            let alias = if self.skip_name("as")? { self.assigned_name()? } else { name };
            names.push((name, alias));
            let is_context = matches!(self.current.kind, Kind::Name("with" | "without"));
            if is_context && self.is_ahead(|next| *next == Kind::Name("context"))? {
                with_context = self.import_context(false)?;
                break;
            }
            if !self.is_operator(",") {
                break;
            }
        }
        Ok(StmtKind::FromImport { template, names, with_context })
    }

    fn signature(&mut self) -> Result<Vec<(&'s str, Option<Expr<'s>>)>, Error> {
        self.expect_operator("(")?;
        let mut params: Vec<(&'s str, Option<Expr<'s>>)> = Vec::new();
        while !self.is_operator(")") {
            if !params.is_empty() {
                self.expect_operator(",")?;
            }
            let name = self.assigned_name()?;
            let default = if self.skip_operator("=")? {
                Some(self.expression()?)
            } else if params.iter().any(|(_, default)| default.is_some()) {
                return self.fail("non-default argument follows default argument");
            } else {
                None
            };
            params.push((name, default));
        }
        self.expect_operator(")")?;
        Ok(params)
    }

    fn call_block(&mut self, line: usize) -> Parsed<'s> {
        self.next()?;
        let params = if self.is_operator("(") { self.signature()? } else { Vec::new() };
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Self::fail_at("expected call", line);
        }
        let body = self.statements_to(&["endcall"])?;
        Ok(StmtKind::Call(Box::new(Macro { name: None, line, params, body }), call))
    }
}

/// An expression as something to assign to, if it can be assigned to.
fn as_target<'s>(target: &Expr<'s>) -> Option<Target<'s>> {
    match &target.kind {
        ExprKind::Name(name) if !VALUES.contains(name) => Some(Target::Name { name, line: target.line }),
        ExprKind::NamespaceRef(namespace, name) => Some(Target::Attribute { namespace, name }),
        ExprKind::Tuple(items) => Some(Target::Tuple(items.iter().map(as_target).collect::<Option<_>>()?)),
        _ => None,
    }
}
