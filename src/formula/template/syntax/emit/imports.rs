//! Imports and includes.
//!
//! Jinja renders a template that is imported without context once, and it sees none of the names of the template that
//! imports it. In minijinja every import sees everything and happens again. So an import without context goes through
//! a macro, which sees nothing but its arguments, and its outcome is kept.

use super::super::names;
use super::super::tree::{Body, Expr, ExprKind};
use super::expressions::Level;
use super::{Emitter, exported};

impl Emitter {
    /// Names the imports of a template that it does not pass on to who imports it.
    pub(super) fn hide_imports(&mut self, body: &Body<'_>) {
        let hidden = names::imported_only(body);
        if !hidden.is_empty() {
            self.writer.next_block("set __ = (");
            for name in hidden {
                self.writer.quote(&exported(name));
                self.writer.put(",");
            }
            self.writer.put(")|__hide");
        }
    }

    pub(super) fn include(&mut self, template: &Expr<'_>, ignore_missing: bool, with_context: bool, line: usize) {
        if !with_context {
            self.without_context(template, ignore_missing, line);
            self.writer.print(line);
            self.writer.put("__n|__text");
            return;
        }
        // What an included template assigns ends with it.
        if matches!(template.kind, ExprKind::Text(_)) {
            self.writer.block(line);
            self.writer.put("with");
            self.writer.next_block("include ");
            self.expr(template, Level::If);
            self.writer.put(if ignore_missing { " ignore missing" } else { "" });
            self.writer.next_block("endwith");
            return;
        }
        // Minijinja's macros miss names that are only the name of a template.
        self.found(template, ignore_missing, line);
        self.writer.next_block("if __n");
        self.writer.next_block("with");
        self.writer.next_block("include __n");
        self.writer.next_block("endwith");
        self.writer.next_block("endif");
    }

    /// Renders a template; a filter on the variable `__n` then gives what is wanted of it.
    fn imported(&mut self, template: &Expr<'_>, with_context: bool, line: usize) {
        if !with_context {
            return self.without_context(template, false, line);
        }
        self.assign("__n", template, line);
        self.writer.next_block("import __n as __m");
        self.writer.next_block("set __n = __m|__module(__n)");
    }

    /// The full name of a template, or of the first one there is of several, in the variable `__n`.
    fn found(&mut self, template: &Expr<'_>, ignore_missing: bool, line: usize) {
        self.writer.block(line);
        self.writer.put("set __n = ");
        self.piped(template, if ignore_missing { "__find(true)" } else { "__find" });
    }

    fn without_context(&mut self, template: &Expr<'_>, ignore_missing: bool, line: usize) {
        self.found(template, ignore_missing, line);
        self.writer.next_block("if __n|__absent");
        self.writer.next_block("with");
        self.writer.next_block("macro __import(__n)");
        self.writer.next_block("set tplfile, tpldir, tpldot = __n|__tpl");
        self.writer.next_block("import __n as __m");
        self.writer.next_block("set __ = __m|__module(__n, true)");
        self.writer.next_block("endmacro");
        self.writer.next_block("set __ = __import(__n)");
        self.writer.next_block("endwith");
        self.writer.next_block("endif");
        self.writer.next_block("set __n = __n|__imported");
    }

    pub(super) fn import(&mut self, template: &Expr<'_>, target: &str, with_context: bool, line: usize) {
        self.imported(template, with_context, line);
        self.writer.next_block(&format!("set {} = __n", self.variable(target)));
    }

    pub(super) fn names_import(
        &mut self,
        template: &Expr<'_>,
        names: &[(&str, &str)],
        with_context: bool,
        line: usize,
    ) {
        self.imported(template, with_context, line);
        for (name, alias) in names {
            self.writer.next_block(&format!("set {} = __n[", self.variable(alias)));
            self.writer.quote(&exported(name));
            self.writer.put("]");
        }
    }

    pub(super) fn import_data(
        &mut self,
        format: &str,
        template: &Expr<'_>,
        target: &str,
        with_context: bool,
        line: usize,
    ) {
        self.imported(template, with_context, line);
        self.writer.next_block(&format!("set {} = __load_{format}(__n|__text, __n|__name)", self.variable(target)));
    }
}
