//! The parser's stream of tokens, and what it says when it does not find what it looks for.

use super::lexer::{Kind, Lexer, Token};
use super::tree::{Body, Expr, ExprKind, Stmt, StmtKind};
use super::{Error, Options};

/// The longest chain of operators, filters or calls on one another. Python gives up at 196.
pub(super) const LONGEST: usize = 200;

/// What is in one another. Python gives up at about the same depths.
#[derive(Debug, Clone, Copy)]
pub(super) enum Nesting {
    /// Brackets of every kind.
    Brackets,
    /// Statements that have statements in them.
    Statements,
    /// Signs, `not`, and what follows `else`.
    Operators,
}

impl Nesting {
    fn deepest(self) -> usize {
        match self {
            Self::Brackets => 70,
            Self::Statements => 98,
            Self::Operators => LONGEST,
        }
    }
}

/// Reads a template.
pub(super) struct Parser<'s> {
    lexer: Lexer<'s>,
    pub current: Token<'s>,
    ahead: Option<Token<'s>>,
    /// The open tags, innermost last.
    pub tags: Vec<&'s str>,
    /// What would end the open tags, innermost last.
    ends: Vec<&'static [&'static str]>,
    depths: [usize; 3],
}

/// A whole template.
pub(super) fn parse(text: &str, options: Options) -> Result<Body<'_>, Error> {
    let mut lexer = Lexer::new(text, options);
    let current = lexer.next()?;
    Parser { lexer, current, ahead: None, tags: Vec::new(), ends: Vec::new(), depths: [0; 3] }.body(&[])
}

impl<'s> Parser<'s> {
    /// Goes one token on, and returns the one it was at.
    pub(super) fn next(&mut self) -> Result<Token<'s>, Error> {
        let next = match self.ahead.take() {
            Some(token) => token,
            None => self.lexer.next()?,
        };
        let next = match next.kind {
            // The end is on the line of the last token.
            Kind::End => Token { line: self.current.line, kind: Kind::End },
            _ => next,
        };
        Ok(std::mem::replace(&mut self.current, next))
    }

    /// Whether the token after the current one fulfils a condition.
    pub(super) fn is_ahead(&mut self, condition: impl FnOnce(&Kind<'s>) -> bool) -> Result<bool, Error> {
        if self.ahead.is_none() {
            self.ahead = Some(self.lexer.next()?);
        }
        Ok(self.ahead.as_ref().is_some_and(|token| condition(&token.kind)))
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        self.current.kind == Kind::Name(name)
    }

    pub(super) fn is_operator(&self, operator: &'static str) -> bool {
        self.current.kind == Kind::Operator(operator)
    }

    pub(super) fn skip_name(&mut self, name: &str) -> Result<bool, Error> {
        self.skip_if(self.is_name(name))
    }

    pub(super) fn skip_operator(&mut self, operator: &'static str) -> Result<bool, Error> {
        self.skip_if(self.is_operator(operator))
    }

    pub(super) fn skip_if(&mut self, is_there: bool) -> Result<bool, Error> {
        if is_there {
            self.next()?;
        }
        Ok(is_there)
    }

    /// An error at the current token.
    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        Self::fail_at(message, self.current.line)
    }

    pub(super) fn fail_at<T>(message: impl Into<String>, line: usize) -> Result<T, Error> {
        Err(Error { message: message.into(), line })
    }

    fn expect(&mut self, is_there: bool, expected: &str) -> Result<Token<'s>, Error> {
        if is_there {
            return self.next();
        }
        match &self.current.kind {
            Kind::End => self.fail(format!("unexpected end of template, expected '{expected}'.")),
            other => self.fail(format!("expected token '{expected}', got '{}'", other.describe())),
        }
    }

    pub(super) fn expect_kind(&mut self, kind: &Kind<'s>) -> Result<Token<'s>, Error> {
        self.expect(self.current.kind == *kind, kind.describe())
    }

    pub(super) fn expect_operator(&mut self, operator: &'static str) -> Result<Token<'s>, Error> {
        self.expect(self.is_operator(operator), operator)
    }

    pub(super) fn expect_word(&mut self, word: &'static str) -> Result<Token<'s>, Error> {
        self.expect(self.is_name(word), word)
    }

    /// Any name.
    pub(super) fn expect_name(&mut self) -> Result<(&'s str, usize), Error> {
        let token = self.expect(matches!(self.current.kind, Kind::Name(_)), "name")?;
        match token.kind {
            Kind::Name(name) => Ok((name, token.line)),
            _ => self.fail("expected a name"),
        }
    }

    /// Runs a part of the parser one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        nesting: Nesting,
        parse: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let depth = self.depths[nesting as usize];
        if depth >= nesting.deepest() {
            return self.fail(format!("nested deeper than {depth}"));
        }
        self.depths[nesting as usize] = depth + 1;
        let result = parse(self);
        self.depths[nesting as usize] = depth;
        result
    }

    /// Makes an expression.
    pub(super) fn expr(line: usize, kind: ExprKind<'s>) -> Result<Expr<'s>, Error> {
        let mut height = 0;
        kind.each(&mut |inner| height = height.max(inner.height));
        if height >= LONGEST {
            return Self::fail_at(format!("an expression of more than {LONGEST} parts"), line);
        }
        Ok(Expr { line, height: height + 1, kind })
    }

    /// Statements up to one of the tags in `ends`, which becomes the current token.
    fn body(&mut self, ends: &'static [&'static str]) -> Result<Body<'s>, Error> {
        if !ends.is_empty() {
            self.ends.push(ends);
        }
        let mut body = Vec::new();
        loop {
            let line = self.current.line;
            match self.current.kind {
                Kind::End => break,
                Kind::Data(text) => {
                    self.next()?;
                    body.push(Stmt { line, kind: StmtKind::Data(text) });
                }
                Kind::VariableBegin => {
                    self.next()?;
                    let value = self.tuple()?;
                    body.push(Stmt { line, kind: StmtKind::Print(value) });
                    self.expect_kind(&Kind::VariableEnd)?;
                }
                Kind::BlockBegin => {
                    self.next()?;
                    if matches!(self.current.kind, Kind::Name(name) if ends.contains(&name)) {
                        break;
                    }
                    self.deeper(Nesting::Statements, |parser| parser.statement(&mut body))?;
                    self.expect_kind(&Kind::BlockEnd)?;
                }
                _ => return self.fail("internal parsing error"),
            }
        }
        if !ends.is_empty() {
            self.ends.pop();
        }
        Ok(body)
    }

    /// The rest of a tag, and the statements up to one of the tags in `ends`, which becomes the current token.
    pub(super) fn statements(&mut self, ends: &'static [&'static str]) -> Result<Body<'s>, Error> {
        self.skip_operator(":")?;
        self.expect_kind(&Kind::BlockEnd)?;
        let body = self.body(ends)?;
        if self.current.kind == Kind::End {
            self.ends.push(ends);
            return self.fail_looking_for_end(None, self.current.line);
        }
        Ok(body)
    }

    /// Like [`statements`](Self::statements) for one tag, which is passed over.
    pub(super) fn statements_to(&mut self, end: &'static [&'static str]) -> Result<Body<'s>, Error> {
        let body = self.statements(end)?;
        self.next()?;
        Ok(body)
    }

    /// What Jinja says to a tag it does not know, or to the end of the template where it is not expected.
    pub(super) fn fail_looking_for_end<T>(&self, tag: Option<&str>, line: usize) -> Result<T, Error> {
        let mut message = match tag {
            None => "Unexpected end of template.".to_owned(),
            Some(tag) => format!("Encountered unknown tag '{tag}'."),
        };
        if let Some(ends) = self.ends.last() {
            let looking_for = ends.iter().map(|end| format!("'{end}'")).collect::<Vec<_>>().join(" or ");
            if tag.is_some_and(|tag| self.ends.iter().any(|ends| ends.contains(&tag))) {
                message.push_str(" You probably made a nesting mistake. Jinja is expecting this tag, but currently");
                message.extend([format!(" looking for {looking_for}.")]);
            } else {
                message.extend([format!(" Jinja was looking for the following tags: {looking_for}.")]);
            }
        }
        if let Some(open) = self.tags.last() {
            message.extend([format!(" The innermost block that needs to be closed is '{open}'.")]);
        }
        Self::fail_at(message, line)
    }
}
