//! Statements other than those of macros and imports.

use super::super::names;
use super::super::tree::{Body, Expr, ExprKind, For, Stmt, StmtKind, Target};
use super::expressions::Level;
use super::{Emitter, identifier};

/// How many items a target unpacks.
pub(super) fn length(target: &Target<'_>) -> Option<usize> {
    match target {
        Target::Tuple(items) => Some(items.len()),
        _ => None,
    }
}

/// The variable that keeps what an attribute of a namespace is set to.
fn kept(namespace: &str, name: &str) -> String {
    identifier(&format!("__set_{namespace}_{name}")).into_owned()
}

impl Emitter {
    pub(super) fn body(&mut self, body: &Body<'_>) {
        for stmt in body {
            self.statement(stmt);
        }
    }

    /// Statements whose assignments end with them.
    pub(super) fn scope(&mut self, body: &Body<'_>) {
        // A loop that is left must not leave a scope of minijinja behind; what is assigned there ends with the
        // iteration then.
        if names::assigns(body) && !names::leaves_loop(body) {
            self.writer.next_block("with");
            self.body(body);
            self.writer.next_block("endwith");
        } else {
            self.body(body);
        }
    }

    fn statement(&mut self, stmt: &Stmt<'_>) {
        let line = stmt.line;
        match &stmt.kind {
            StmtKind::Data(text) => self.writer.data(text, line),
            StmtKind::Print(_) if self.dropped && self.extends => {}
            StmtKind::Print(value) => {
                self.writer.print(line);
                self.expr(value, Level::If);
            }
            StmtKind::For(inner) => self.for_loop(inner, line),
            StmtKind::If { branches, otherwise } => self.if_statement(branches, otherwise.as_ref(), line),
            StmtKind::With { assigned, body } => self.with(assigned, body, line),
            StmtKind::Set(target, value) => self.set(target, value, line),
            StmtKind::SetBlock { target, filter, body } => self.set_block(target, filter.as_ref(), body, line),
            StmtKind::FilterBlock { filter, body } => self.filter_block(filter, body, line),
            StmtKind::Autoescape(value, body) => {
                self.writer.block(line);
                self.writer.put("autoescape ");
                self.expr(value, Level::If);
                self.scope(body);
                self.writer.next_block("endautoescape");
            }
            StmtKind::Do(value) => self.assign("__", value, line),
            StmtKind::Macro(defined) => self.macro_definition(defined),
            StmtKind::Call(defined, call) => self.call_block(defined, call, line),
            StmtKind::Block { name, is_required, body } => {
                let dropped = std::mem::replace(&mut self.dropped, false);
                self.writer.block(line);
                self.writer.put("block ");
                self.writer.put(&identifier(name));
                self.writer.put(if *is_required { " required" } else { "" });
                self.body(body);
                self.writer.next_block("endblock");
                self.dropped = dropped;
            }
            StmtKind::Extends(template) => {
                self.writer.block(line);
                self.writer.put("extends ");
                self.expr(template, Level::If);
                self.extends = true;
            }
            StmtKind::Include { template, ignore_missing, with_context } => {
                self.include(template, *ignore_missing, *with_context, line);
            }
            StmtKind::Import { template, target, with_context } => {
                self.import(template, target, *with_context, line);
            }
            StmtKind::FromImport { template, names, with_context } => {
                self.names_import(template, names, *with_context, line);
            }
            StmtKind::ImportData { format, template, target, with_context } => {
                self.import_data(format, template, target, *with_context, line);
            }
            StmtKind::Load { format, target, body } => self.load(format, target, body, line),
            StmtKind::Profile(label, body) => {
                self.writer.block(line);
                self.writer.put("set __ = ");
                self.row(std::slice::from_ref(label));
                self.writer.put("|__concat");
                self.body(body);
            }
            StmtKind::Break | StmtKind::Continue => {
                self.writer.block(line);
                self.writer.put(if matches!(stmt.kind, StmtKind::Break) { "break" } else { "continue" });
            }
        }
    }

    /// `set name = value`.
    pub(super) fn assign(&mut self, name: &str, value: &Expr<'_>, line: usize) {
        self.writer.block(line);
        self.writer.put("set ");
        self.writer.put(name);
        self.writer.put(" = ");
        self.expr(value, Level::If);
    }

    pub(super) fn target(&mut self, target: &Target<'_>) {
        match target {
            Target::Name { name, .. } => self.put_variable(name),
            // A name of its own, from which the attribute is set afterwards.
            Target::Attribute { namespace, name } => self.writer.put(&kept(namespace, name)),
            Target::Tuple(items) => {
                self.writer.put("(");
                for item in items {
                    self.target(item);
                    self.writer.put(",");
                }
                self.writer.put(")");
            }
        }
    }

    /// A value that a target is about to take apart.
    fn unpacked(&mut self, target: &Target<'_>, value: &Expr<'_>) {
        match (length(target), &value.kind) {
            (Some(length), ExprKind::Tuple(items)) if items.len() == length => self.expr(value, Level::If),
            (Some(length), _) => self.piped(value, &format!("__unpack({length})")),
            (None, _) => self.expr(value, Level::If),
        }
    }

    fn set(&mut self, target: &Target<'_>, value: &Expr<'_>, line: usize) {
        self.writer.block(line);
        self.writer.put("set ");
        self.target(target);
        self.writer.put(" = ");
        self.unpacked(target, value);
        self.attributes(target);
    }

    /// Sets the attributes of namespaces that a target names, which have got their values already.
    fn attributes(&mut self, target: &Target<'_>) {
        match target {
            Target::Name { .. } => {}
            Target::Attribute { namespace, name } => {
                self.writer.next_block("set __ = ");
                self.put_variable(namespace);
                self.writer.put("|__assign(");
                self.writer.quote(name);
                self.writer.put(&format!(", {})", kept(namespace, name)));
            }
            Target::Tuple(items) => items.iter().for_each(|item| self.attributes(item)),
        }
    }

    /// What a body says, in the variable `__c`.
    pub(super) fn captured(&mut self, body: &Body<'_>, line: usize) {
        let dropped = std::mem::replace(&mut self.dropped, false);
        self.writer.block(line);
        self.writer.put("set __c");
        self.scope(body);
        self.writer.next_block("endset");
        self.dropped = dropped;
    }

    fn filtered(&mut self, filter: &Expr<'_>) {
        let outer = std::mem::replace(&mut self.filtered, "__c");
        self.expr(filter, Level::If);
        self.filtered = outer;
    }

    fn set_block(&mut self, target: &Target<'_>, filter: Option<&Expr<'_>>, body: &Body<'_>, line: usize) {
        self.captured(body, line);
        self.writer.next_block("set ");
        self.target(target);
        self.writer.put(" = ");
        match filter {
            Some(filter) => self.filtered(filter),
            None => self.writer.put("__c"),
        }
        if let Some(length) = length(target) {
            self.writer.put(&format!("|__unpack({length})"));
        }
        self.attributes(target);
    }

    fn filter_block(&mut self, filter: &Expr<'_>, body: &Body<'_>, line: usize) {
        self.captured(body, line);
        self.writer.print(line);
        self.filtered(filter);
    }

    fn if_statement(&mut self, branches: &[(Expr<'_>, Body<'_>)], otherwise: Option<&Body<'_>>, line: usize) {
        let extends = self.extends;
        for (index, (test, body)) in branches.iter().enumerate() {
            self.writer.block(if index == 0 { line } else { test.line });
            self.writer.put(if index == 0 { "if " } else { "elif " });
            self.expr(test, Level::Or);
            self.body(body);
        }
        if let Some(body) = otherwise {
            self.writer.next_block("else");
            self.body(body);
        }
        self.writer.next_block("endif");
        // An `extends` in there may not happen.
        self.extends = extends;
    }

    fn for_loop(&mut self, inner: &For<'_>, line: usize) {
        let length = length(&inner.target);
        self.writer.block(line);
        // Jinja's `else` is for loops no round of which came to its end.
        let left = (inner.otherwise.is_some() && names::leaves_loop(&inner.body)).then(|| {
            self.loops += 1;
            format!("__l{}", self.loops)
        });
        if let Some(left) = &left {
            self.writer.put(&format!("set {left} = namespace(is_whole=false)"));
            self.writer.next_block("");
        }
        self.writer.put("for ");
        self.target(&inner.target);
        self.writer.put(" in ");
        match &inner.items.kind {
            // Nothing else has this list, so a tuple does as well.
            ExprKind::List(items) if length.is_none() => self.row(items),
            _ => {
                self.piped(&inner.items, "__iter");
                self.length(length);
            }
        }
        if let Some(test) = &inner.test {
            self.writer.put(" if ");
            self.expr(test, Level::Or);
        }
        if inner.is_recursive {
            self.writer.put(" recursive");
            self.recursive.push(length);
        }
        let own_loop = std::mem::replace(&mut self.own_loop, false);
        self.body(&inner.body);
        self.own_loop = own_loop;
        if inner.is_recursive {
            self.recursive.pop();
        }
        if let Some(otherwise) = inner.otherwise.as_ref().filter(|_| left.is_none()) {
            self.writer.next_block("else");
            self.scope(otherwise);
        }
        if let Some(left) = &left {
            self.writer.next_block(&format!("set __ = {left}|__assign(\"is_whole\", true)"));
        }
        self.writer.next_block("endfor");
        if let (Some(otherwise), Some(left)) = (&inner.otherwise, left) {
            self.writer.next_block(&format!("if not {left}.is_whole"));
            self.scope(otherwise);
            self.writer.next_block("endif");
        }
    }

    fn with(&mut self, assigned: &[(Target<'_>, Expr<'_>)], body: &Body<'_>, line: usize) {
        // The values see nothing of what the `with` assigns.
        if let [(target, value)] = assigned {
            self.writer.block(line);
            self.writer.put("set __w = ");
            self.unpacked(target, value);
        } else if !assigned.is_empty() {
            self.writer.block(line);
            self.writer.put("set __w = (");
            for (target, value) in assigned {
                self.unpacked(target, value);
                self.writer.put(", ");
            }
            self.writer.put(")");
        }
        let is_scope = !names::leaves_loop(body);
        self.writer.next_block(if is_scope { "with" } else { "" });
        if !assigned.is_empty() {
            self.writer.put(if is_scope { " (" } else { "set (" });
            for (target, _) in assigned {
                self.target(target);
                self.writer.put(if assigned.len() == 1 { "" } else { "," });
            }
            self.writer.put(") = __w");
        } else if !is_scope {
            self.writer.put("set __w = none");
        }
        self.body(body);
        if is_scope {
            self.writer.next_block("endwith");
        }
    }
}
