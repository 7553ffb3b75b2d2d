//! The grammar of expressions.

use std::borrow::Cow;

use super::lexer::Kind;
use super::parser::{LONGEST, Nesting, Parser};
use super::tree::{Applied, Args, Comparison, Conditional, Expr, ExprKind, Operator};
use super::{Error, literal};

type Parsed<'s> = Result<Expr<'s>, Error>;

/// What [`Parser::tuple_of`] reads.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the switches of Jinja's own parser")]
pub(super) struct Tuple {
    /// Only names and literals, as where something is assigned to.
    pub simple: bool,
    /// No `a if b`.
    pub without_if: bool,
    /// Between parentheses, where nothing is an empty tuple.
    pub parenthesised: bool,
    /// `a.b` stands for an attribute of a namespace.
    pub namespaces: bool,
}

impl<'s> Parser<'s> {
    /// An expression, or a tuple of several with commas between them.
    pub(super) fn tuple(&mut self) -> Parsed<'s> {
        self.tuple_of(Tuple::default())
    }

    pub(super) fn tuple_of(&mut self, kind: Tuple) -> Parsed<'s> {
        let mut line = self.current.line;
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            let is_end = matches!(self.current.kind, Kind::VariableEnd | Kind::BlockEnd | Kind::Operator(")"));
            if is_end {
                break;
            }
            items.push(match kind {
                Tuple { simple: true, .. } => self.primary(kind.namespaces)?,
                Tuple { without_if: true, .. } => self.deeper(Nesting::Brackets, Self::or)?,
                _ => self.expression()?,
            });
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
            line = self.current.line;
        }
        if !is_tuple {
            if let Some(only) = items.pop() {
                return Ok(only);
            }
            if !kind.parenthesised {
                return self.fail(format!("Expected an expression, got '{}'", self.current.kind.describe()));
            }
        }
        Self::expr(line, ExprKind::Tuple(items))
    }

    /// `a if b else c` and everything that binds closer.
    pub(super) fn expression(&mut self) -> Parsed<'s> {
        self.deeper(Nesting::Brackets, Self::conditional)
    }

    fn conditional(&mut self) -> Parsed<'s> {
        let mut line = self.current.line;
        let mut then = self.or()?;
        while self.skip_name("if")? {
            let test = self.or()?;
            let has_else = self.skip_name("else")?;
            let otherwise = if has_else { Some(self.deeper(Nesting::Operators, Self::conditional)?) } else { None };
            then = Self::expr(line, ExprKind::If(Box::new(Conditional { test, then, otherwise })))?;
            line = self.current.line;
        }
        Ok(then)
    }

    fn or(&mut self) -> Parsed<'s> {
        let mut line = self.current.line;
        let mut left = self.and()?;
        while self.skip_name("or")? {
            let right = self.and()?;
            left = Self::expr(line, ExprKind::Or(Box::new(left), Box::new(right)))?;
            line = self.current.line;
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<'s> {
        let mut line = self.current.line;
        let mut left = self.not()?;
        while self.skip_name("and")? {
            let right = self.not()?;
            left = Self::expr(line, ExprKind::And(Box::new(left), Box::new(right)))?;
            line = self.current.line;
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<'s> {
        if !self.is_name("not") {
            return self.compare();
        }
        let line = self.next()?.line;
        let operand = self.deeper(Nesting::Operators, Self::not)?;
        Self::expr(line, ExprKind::Not(Box::new(operand)))
    }

    fn compare(&mut self) -> Parsed<'s> {
        let mut line = self.current.line;
        let first = self.sum()?;
        let mut others = Vec::new();
        loop {
            let comparison = match self.current.kind {
                Kind::Operator("==") => Comparison::Equal,
                Kind::Operator("!=") => Comparison::NotEqual,
                Kind::Operator("<") => Comparison::Less,
                Kind::Operator("<=") => Comparison::LessEqual,
                Kind::Operator(">") => Comparison::Greater,
                Kind::Operator(">=") => Comparison::GreaterEqual,
                Kind::Name("in") => Comparison::In,
                Kind::Name("not") => {
                    if !self.is_ahead(|next| *next == Kind::Name("in"))? {
                        break;
                    }
                    self.next()?;
                    Comparison::NotIn
                }
                _ => break,
            };
            self.next()?;
            others.push((comparison, self.sum()?));
            line = self.current.line;
        }
        if others.is_empty() {
            return Ok(first);
        }
        if others.len() > LONGEST {
            return Self::fail_at(format!("an expression of more than {LONGEST} parts"), line);
        }
        Self::expr(line, ExprKind::Compare(Box::new(first), others))
    }

    /// Operators of one strength, from left to right.
    fn operators(
        &mut self,
        known: &[(&'static str, Operator)],
        operand: impl Fn(&mut Self) -> Parsed<'s>,
    ) -> Parsed<'s> {
        let mut line = self.current.line;
        let mut left = operand(self)?;
        while let Some((_, operator)) = known.iter().find(|(text, _)| self.is_operator(text)) {
            self.next()?;
            let right = operand(self)?;
            left = Self::expr(line, ExprKind::Binary(*operator, Box::new(left), Box::new(right)))?;
            line = self.current.line;
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<'s> {
        self.operators(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::concat)
    }

    fn concat(&mut self) -> Parsed<'s> {
        let line = self.current.line;
        let first = self.product()?;
        if !self.is_operator("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_operator("~")? {
            parts.push(self.product()?);
        }
        Self::expr(line, ExprKind::Concat(parts))
    }

    fn product(&mut self) -> Parsed<'s> {
        let known = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("//", Operator::FloorDivide),
            ("%", Operator::Modulo),
        ];
        self.operators(&known, Self::power)
    }

    fn power(&mut self) -> Parsed<'s> {
        self.operators(&[("**", Operator::Power)], |parser| parser.unary(true))
    }

    fn unary(&mut self, with_filters: bool) -> Parsed<'s> {
        let line = self.current.line;
        let operand = if self.skip_operator("-")? {
            let operand = self.deeper(Nesting::Operators, |parser| parser.unary(false))?;
            Self::expr(line, ExprKind::Negative(Box::new(operand)))?
        } else if self.skip_operator("+")? {
            let operand = self.deeper(Nesting::Operators, |parser| parser.unary(false))?;
            Self::expr(line, ExprKind::Positive(Box::new(operand)))?
        } else {
            self.primary(false)?
        };
        let operand = self.postfix(operand)?;
        if with_filters { self.filters_and_tests(operand) } else { Ok(operand) }
    }

    pub(super) fn primary(&mut self, namespaces: bool) -> Parsed<'s> {
        let line = self.current.line;
        let kind = match &self.current.kind {
            Kind::Name(_) => return self.name(namespaces),
            Kind::Text(_) => self.text()?,
            Kind::Integer(text) => match literal::integer(text) {
                Some(number) => ExprKind::Integer(number),
                None => return self.fail("a number beyond 128 bits"),
            },
            Kind::Float(text) => ExprKind::Float(text.replace('_', "").parse().unwrap_or(f64::INFINITY)),
            Kind::Operator("(") => {
                self.next()?;
                let inner = self.tuple_of(Tuple { parenthesised: true, ..Tuple::default() })?;
                self.expect_operator(")")?;
                return Ok(inner);
            }
            Kind::Operator("[") => return self.list(),
            Kind::Operator("{") => return self.dict(),
            other => return self.fail(format!("unexpected '{}'", other.describe())),
        };
        if matches!(kind, ExprKind::Integer(_) | ExprKind::Float(_)) {
            self.next()?;
        }
        Self::expr(line, kind)
    }

    fn name(&mut self, namespaces: bool) -> Parsed<'s> {
        let (name, line) = self.expect_name()?;
        let kind = match name {
            "true" | "True" => ExprKind::Bool(true),
            "false" | "False" => ExprKind::Bool(false),
            "none" | "None" => ExprKind::None,
            _ if namespaces && self.skip_operator(".")? => ExprKind::NamespaceRef(name, self.expect_name()?.0),
            _ => ExprKind::Name(name),
        };
        Self::expr(line, kind)
    }

    /// Strings one after the other are one string.
    fn text(&mut self) -> Result<ExprKind<'s>, Error> {
        let mut whole = Cow::Borrowed("");
        while let Kind::Text(text) = &self.current.kind {
            if whole.is_empty() {
                whole.clone_from(text);
            } else {
                whole.to_mut().push_str(text);
            }
            self.next()?;
        }
        Ok(ExprKind::Text(whole))
    }

    fn list(&mut self) -> Parsed<'s> {
        let line = self.expect_operator("[")?.line;
        let mut items = Vec::new();
        while !self.is_operator("]") {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            if self.is_operator("]") {
                break;
            }
            items.push(self.expression()?);
        }
        self.expect_operator("]")?;
        Self::expr(line, ExprKind::List(items))
    }

    fn dict(&mut self) -> Parsed<'s> {
        let line = self.expect_operator("{")?.line;
        let mut entries = Vec::new();
        while !self.is_operator("}") {
            if !entries.is_empty() {
                self.expect_operator(",")?;
            }
            if self.is_operator("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_operator(":")?;
            entries.push((key, self.expression()?));
        }
        self.expect_operator("}")?;
        Self::expr(line, ExprKind::Dict(entries))
    }

    /// Attributes, subscripts and calls.
    pub(super) fn postfix(&mut self, mut subject: Expr<'s>) -> Parsed<'s> {
        loop {
            subject = match self.current.kind {
                Kind::Operator(".") => self.attribute(subject)?,
                Kind::Operator("[") => self.subscript(subject)?,
                Kind::Operator("(") => self.call(subject)?,
                _ => return Ok(subject),
            };
        }
    }

    fn filters_and_tests(&mut self, mut subject: Expr<'s>) -> Parsed<'s> {
        loop {
            subject = match self.current.kind {
                Kind::Operator("|") => {
                    self.next()?;
                    self.filter(Some(subject))?
                }
                Kind::Name("is") => self.test(subject)?,
                Kind::Operator("(") => self.call(subject)?,
                _ => return Ok(subject),
            };
        }
    }

    fn attribute(&mut self, subject: Expr<'s>) -> Parsed<'s> {
        let line = self.next()?.line;
        let token = self.next()?;
        match token.kind {
            Kind::Name(name) => Self::expr(line, ExprKind::Attribute(Box::new(subject), name)),
            Kind::Integer(text) => {
                let Some(number) = literal::integer(text) else {
                    return Self::fail_at("a number beyond 128 bits", token.line);
                };
                let key = Self::expr(token.line, ExprKind::Integer(number))?;
                Self::expr(line, ExprKind::Item(Box::new(subject), Box::new(key)))
            }
            _ => Self::fail_at("expected name or number", token.line),
        }
    }

    fn subscript(&mut self, subject: Expr<'s>) -> Parsed<'s> {
        let line = self.next()?.line;
        let mut keys = Vec::new();
        while !self.is_operator("]") {
            if !keys.is_empty() {
                self.expect_operator(",")?;
            }
            keys.push(self.subscribed()?);
        }
        self.expect_operator("]")?;
        let key = match keys.pop() {
            Some(only) if keys.is_empty() => only,
            last => {
                keys.extend(last);
                Self::expr(line, ExprKind::Tuple(keys))?
            }
        };
        Self::expr(line, ExprKind::Item(Box::new(subject), Box::new(key)))
    }

    fn subscribed(&mut self) -> Parsed<'s> {
        let line = self.current.line;
        let start = if self.is_operator(":") {
            None
        } else {
            let key = self.expression()?;
            if !self.is_operator(":") {
                return Ok(key);
            }
            Some(key)
        };
        self.next()?;
        let is_part = |parser: &Self| !matches!(parser.current.kind, Kind::Operator("]" | "," | ":"));
        let stop = if is_part(self) { Some(self.expression()?) } else { None };
        let mut step = None;
        if self.skip_operator(":")? && !matches!(self.current.kind, Kind::Operator("]" | ",")) {
            step = Some(self.expression()?);
        }
        Self::expr(line, ExprKind::Slice(Box::new([start, stop, step])))
    }

    fn call(&mut self, subject: Expr<'s>) -> Parsed<'s> {
        let line = self.current.line;
        let args = self.args()?;
        Self::expr(line, ExprKind::Call(Box::new(subject), Box::new(args)))
    }

    fn args(&mut self) -> Result<Args<'s>, Error> {
        let line = self.expect_operator("(")?.line;
        let wrong = || Self::fail_at("invalid syntax for function call expression", line);
        let ensure = |is_right: bool| if is_right { Ok(()) } else { wrong() };
        let mut args = Args::default();
        let mut is_first = true;
        while !self.is_operator(")") {
            if !is_first {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            is_first = false;
            if self.is_operator("*") {
                ensure(args.rest.is_none() && args.named_rest.is_none())?;
                self.next()?;
                args.rest = Some(self.expression()?);
            } else if self.is_operator("**") {
                ensure(args.named_rest.is_none())?;
                self.next()?;
                args.named_rest = Some(self.expression()?);
            } else if let Kind::Name(name) = self.current.kind
                && self.is_ahead(|next| *next == Kind::Operator("="))?
            {
                ensure(args.named_rest.is_none())?;
                self.next()?;
                self.next()?;
                args.named.push((name, self.expression()?));
            } else {
                ensure(args.rest.is_none() && args.named_rest.is_none() && args.named.is_empty())?;
                args.positional.push(self.expression()?);
            }
        }
        self.expect_operator(")")?;
        Ok(args)
    }

    /// The name of a filter or a test, which may have dots.
    fn dotted_name(&mut self) -> Result<(Cow<'s, str>, usize), Error> {
        let (name, line) = self.expect_name()?;
        let mut name = Cow::Borrowed(name);
        while self.skip_operator(".")? {
            let (part, _) = self.expect_name()?;
            name.to_mut().push('.');
            name.to_mut().push_str(part);
        }
        Ok((name, line))
    }

    /// One filter; the current token is its name.
    fn filter(&mut self, subject: Option<Expr<'s>>) -> Parsed<'s> {
        let (name, line) = self.dotted_name()?;
        let args = if self.is_operator("(") { self.args()? } else { Args::default() };
        Self::expr(line, ExprKind::Filter(subject.map(Box::new), Box::new(Applied { name, line, args })))
    }

    /// Filters on what a block says; the current token is the first one's name.
    pub(super) fn filters(&mut self) -> Parsed<'s> {
        let mut filter = self.filter(None)?;
        while self.skip_operator("|")? {
            filter = self.filter(Some(filter))?;
        }
        Ok(filter)
    }

    fn test(&mut self, subject: Expr<'s>) -> Parsed<'s> {
        let line = self.next()?.line;
        let is_negated = self.skip_name("not")?;
        let (name, _) = self.dotted_name()?;
        let args = match self.current.kind {
            Kind::Operator("(") => self.args()?,
            Kind::Name("else" | "or" | "and") => Args::default(),
            Kind::Name("is") => return self.fail("You cannot chain multiple tests with is"),
            Kind::Name(_) | Kind::Text(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Operator("[" | "{") => {
                let operand = self.primary(false)?;
                Args { positional: vec![self.postfix(operand)?], ..Args::default() }
            }
            _ => Args::default(),
        };
        let test = Self::expr(line, ExprKind::Test(Box::new(subject), Box::new(Applied { name, line, args })))?;
        if is_negated { Self::expr(line, ExprKind::Not(Box::new(test))) } else { Ok(test) }
    }
}
