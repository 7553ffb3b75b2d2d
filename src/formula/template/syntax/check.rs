//! What Jinja's compiler refuses although its parser takes it.

use std::collections::HashSet;

use super::names::{self, Use};
use super::tree::{Applied, Args, Body, Expr, ExprKind, For, Macro, Stmt, StmtKind};
use super::{Error, Known};

/// Where a statement is.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own that a place can be")]
struct Place {
    /// Within an `if`, where an unknown filter is an error only once it is used.
    is_soft: bool,
    /// Not within a loop, macro or block.
    is_top: bool,
    /// Top, and not within an `if` either.
    is_root: bool,
    /// How many loops of the same function are around.
    loops: usize,
    /// Where output vanishes once the template extends another.
    is_dropped: bool,
}

impl Place {
    /// A scope of its own within the same function.
    fn inner(self) -> Self {
        Self { is_soft: false, is_top: false, is_root: false, ..self }
    }

    fn soft(self) -> Self {
        Self { is_soft: true, is_root: false, ..self }
    }

    /// The inside of a macro.
    fn function() -> Self {
        Self::default()
    }
}

struct Checker<'a, F, T> {
    known: &'a Known<F, T>,
    extends: bool,
}

/// Refuses what Jinja's compiler refuses.
pub(super) fn check<F, T>(body: &Body<'_>, known: &Known<F, T>) -> Result<(), Error>
where
    F: Fn(&str) -> bool,
    T: Fn(&str) -> bool,
{
    let mut blocks = Vec::new();
    find_blocks(body, &mut blocks);
    let mut seen = HashSet::new();
    for (name, _, line) in &blocks {
        if !seen.insert(*name) {
            return fail(format!("block '{name}' defined twice"), *line);
        }
    }
    let mut checker = Checker { known, extends: false };
    checker.body(body, Place { is_top: true, is_root: true, is_dropped: true, ..Place::default() })?;
    for (_, body, _) in blocks {
        checker.body(body, Place::function())?;
    }
    Ok(())
}

fn fail<T>(message: impl Into<String>, line: usize) -> Result<T, Error> {
    Err(Error { message: message.into(), line })
}

fn find_blocks<'a, 's>(body: &'a Body<'s>, found: &mut Vec<(&'s str, &'a Body<'s>, usize)>) {
    for stmt in body {
        match &stmt.kind {
            StmtKind::Block { name, body, .. } => {
                found.push((name, body, stmt.line));
                find_blocks(body, found);
            }
            StmtKind::For(inner) => {
                find_blocks(&inner.body, found);
                if let Some(body) = &inner.otherwise {
                    find_blocks(body, found);
                }
            }
            StmtKind::If { branches, otherwise } => {
                for body in branches.iter().map(|(_, body)| body).chain(otherwise) {
                    find_blocks(body, found);
                }
            }
            StmtKind::With { body, .. }
            | StmtKind::SetBlock { body, .. }
            | StmtKind::FilterBlock { body, .. }
            | StmtKind::Autoescape(_, body)
            | StmtKind::Load { body, .. }
            | StmtKind::Profile(_, body) => find_blocks(body, found),
            StmtKind::Macro(defined) | StmtKind::Call(defined, _) => find_blocks(&defined.body, found),
            _ => {}
        }
    }
}

impl<F: Fn(&str) -> bool, T: Fn(&str) -> bool> Checker<'_, F, T> {
    fn body(&mut self, body: &Body<'_>, place: Place) -> Result<(), Error> {
        body.iter().try_for_each(|stmt| self.statement(stmt, place))
    }

    fn statement(&mut self, stmt: &Stmt<'_>, place: Place) -> Result<(), Error> {
        match &stmt.kind {
            StmtKind::Print(_) if place.is_dropped && self.extends => Ok(()),
            StmtKind::Print(value)
            | StmtKind::Do(value)
            | StmtKind::Set(_, value)
            | StmtKind::Include { template: value, .. }
            | StmtKind::Import { template: value, .. }
            | StmtKind::FromImport { template: value, .. }
            | StmtKind::ImportData { template: value, .. } => self.expr(value, place),
            StmtKind::Extends(template) => {
                if !place.is_top {
                    return fail("cannot use extend from a non top-level scope", stmt.line);
                }
                self.extends |= place.is_root;
                self.expr(template, place)
            }
            StmtKind::Break if place.loops == 0 => fail("'break' outside loop", stmt.line),
            StmtKind::Continue if place.loops == 0 => fail("'continue' not properly in loop", stmt.line),
            StmtKind::Data(_) | StmtKind::Block { .. } | StmtKind::Break | StmtKind::Continue => Ok(()),
            StmtKind::For(inner) => self.for_loop(inner, place, stmt.line),
            StmtKind::If { branches, otherwise } => {
                for (test, body) in branches {
                    self.expr(test, place.soft())?;
                    self.body(body, place.soft())?;
                }
                otherwise.as_ref().map_or(Ok(()), |body| self.body(body, place.soft()))
            }
            StmtKind::With { assigned, body } => {
                assigned.iter().try_for_each(|(_, value)| self.expr(value, place))?;
                self.body(body, place.inner())
            }
            StmtKind::SetBlock { filter, body, .. } => {
                if place.loops > 0 && names::leaves_loop(body) {
                    return fail("upshift does not leave a loop from within a `set` block", stmt.line);
                }
                let inner = Place { is_dropped: false, ..place.inner() };
                self.body(body, inner)?;
                filter.as_ref().map_or(Ok(()), |filter| self.expr(filter, inner))
            }
            StmtKind::FilterBlock { filter, body } => {
                if place.loops > 0 && names::leaves_loop(body) {
                    return fail("upshift does not leave a loop from within a `filter` block", stmt.line);
                }
                self.body(body, place.inner())?;
                self.expr(filter, place.inner())
            }
            StmtKind::Autoescape(value, body) => {
                self.expr(value, place)?;
                self.body(body, place.inner())
            }
            StmtKind::Macro(defined) => self.function(defined),
            StmtKind::Call(defined, call) => {
                self.function(defined)?;
                call_block(call)?;
                self.expr(call, place)
            }
            StmtKind::Load { body, .. } => self.body(body, Place::function()),
            StmtKind::Profile(label, body) => {
                self.expr(label, place)?;
                self.body(body, place)
            }
        }
    }

    fn for_loop(&mut self, inner: &For<'_>, place: Place, line: usize) -> Result<(), Error> {
        if let Some(test) = &inner.test {
            self.expr(test, place.inner())?;
        }
        let mut wrong = None;
        let mut look = |used: Use<'_>| {
            if let Use::Assigned("loop", line) = used {
                wrong.get_or_insert(line);
            }
        };
        // A loop's own target is a parameter of it, except for Jinja's search of the word `loop`.
        names::target_uses(&inner.target, &mut look);
        names::uses(&inner.body, true, &mut look);
        inner.otherwise.iter().for_each(|body| names::uses(body, true, &mut look));
        if let Some(line) = wrong {
            return fail("Can't assign to special loop variable in for-loop target", line);
        }
        self.expr(&inner.items, place)?;
        // A recursive loop is a function of its own, and what follows its `else` is in there too.
        let outside = if inner.is_recursive { 0 } else { place.loops };
        if outside >= 20 {
            return fail("too many statically nested blocks", line);
        }
        self.body(&inner.body, Place { loops: outside + 1, ..place.inner() })?;
        inner.otherwise.as_ref().map_or(Ok(()), |body| self.body(body, Place { loops: outside, ..place.inner() }))
    }

    fn function(&mut self, defined: &Macro<'_>) -> Result<(), Error> {
        let mut seen = HashSet::new();
        for (name, default) in &defined.params {
            if !seen.insert(name) {
                return fail(format!("duplicate argument '{name}' in function definition"), defined.line);
            }
            if *name == "caller" && default.is_none() && names::is_read_first(&defined.body, "caller") {
                let message = "When defining macros or call blocks the special \"caller\" argument must be omitted or \
                               be given a default.";
                return fail(message, defined.line);
            }
        }
        defined
            .params
            .iter()
            .filter_map(|(_, default)| default.as_ref())
            .try_for_each(|default| self.expr(default, Place::function()))?;
        self.body(&defined.body, Place::function())
    }

    fn expr(&mut self, expr: &Expr<'_>, place: Place) -> Result<(), Error> {
        let mut place = place;
        match &expr.kind {
            ExprKind::Filter(_, applied) => {
                applied_to("filter", applied, (self.known.is_filter)(&applied.name), place)?;
            }
            ExprKind::Test(_, applied) => applied_to("test", applied, (self.known.is_test)(&applied.name), place)?,
            ExprKind::Call(_, args) => repeated(args, expr.line)?,
            ExprKind::Item(_, key) => match &key.kind {
                ExprKind::Tuple(keys) if keys.iter().any(|key| matches!(key.kind, ExprKind::Slice(_))) => {
                    return fail("invalid syntax", key.line);
                }
                _ => {}
            },
            ExprKind::If(_) => place = place.soft(),
            _ => {}
        }
        let mut result = Ok(());
        expr.kind.each(&mut |inner| {
            if result.is_ok() {
                result = self.expr(inner, place);
            }
        });
        result
    }
}

fn repeated(args: &Args<'_>, line: usize) -> Result<(), Error> {
    let mut seen = HashSet::new();
    match args.named.iter().find(|(name, _)| !seen.insert(*name)) {
        Some((name, _)) => fail(format!("keyword argument repeated: {name}"), line),
        None => Ok(()),
    }
}

/// The `caller` of a call block is passed on by its name.
fn call_block(call: &Expr<'_>) -> Result<(), Error> {
    match &call.kind {
        ExprKind::Call(_, args) if args.named.iter().any(|(name, _)| *name == "caller") => {
            fail("keyword argument repeated: caller", call.line)
        }
        _ => Ok(()),
    }
}

fn applied_to(what: &str, applied: &Applied<'_>, is_known: bool, place: Place) -> Result<(), Error> {
    // The names of the functions that stand for operators are not a template's to use.
    let is_known = is_known && !applied.name.starts_with("__");
    if !is_known && !place.is_soft {
        return fail(format!("No {what} named '{}'.", applied.name), applied.line);
    }
    repeated(&applied.args, applied.line)
}
