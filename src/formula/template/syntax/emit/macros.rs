//! Macros, call blocks and loaded blocks.
//!
//! Minijinja's macros take their arguments apart in another way than Python does. Each one is put into a `__macro`
//! object, which does that and fills every parameter.

use super::super::names;
use super::super::tree::{Args, Body, Expr, ExprKind, Macro, Target};
use super::expressions::Level;
use super::statements::length;
use super::{Emitter, variable};

impl Emitter {
    pub(super) fn macro_definition(&mut self, defined: &Macro<'_>) {
        let name = variable(defined.name.unwrap_or("__caller"));
        let special = |name: &str| {
            let is_param = defined.params.iter().any(|(param, _)| *param == name);
            !is_param && names::is_read_first(&defined.body, name)
        };
        let (varargs, kwargs) = (special("varargs"), special("kwargs"));
        let dropped = std::mem::replace(&mut self.dropped, false);
        let recursive = std::mem::take(&mut self.recursive);
        self.writer.block(defined.line);
        self.writer.put(&format!("macro {name}("));
        for (param, _) in &defined.params {
            self.writer.put(&variable(param));
            self.writer.put(",");
        }
        self.writer.put(if varargs { "varargs," } else { "" });
        self.writer.put(if kwargs { "kwargs," } else { "" });
        self.writer.put(")");
        self.enclosed(defined);
        for (param, default) in &defined.params {
            if let Some(default) = default {
                let param = variable(param);
                self.writer.next_block(&format!("if {param}|__missing"));
                self.writer.next_block("");
                self.writer.put(&format!("set {param} = "));
                self.expr(default, Level::If);
                self.writer.next_block("endif");
            }
        }
        self.body(&defined.body);
        self.writer.next_block("endmacro");
        self.recursive = recursive;
        self.dropped = dropped;

        self.writer.next_block(&format!("set {name} = {name}|__macro("));
        match defined.name {
            Some(name) => self.writer.quote(name),
            None => self.writer.put("none"),
        }
        self.writer.put(", (");
        for (param, _) in &defined.params {
            self.writer.quote(param);
            self.writer.put(",");
        }
        let defaults = defined.params.iter().filter(|(_, default)| default.is_some()).count();
        let taken = ["varargs", "kwargs", "caller"].into_iter().filter(|name| special(name)).collect::<Vec<_>>();
        self.writer.put(&format!("), {defaults}, \"{}\")", taken.join(" ")));
    }

    /// Makes minijinja see that a macro reads names from around it which it also assigns.
    fn enclosed(&mut self, defined: &Macro<'_>) {
        let names = names::read_and_assigned(defined);
        if names.is_empty() {
            return;
        }
        self.writer.next_block("if false");
        for name in names {
            self.writer.next_block("set __ = ");
            self.writer.put(&variable(name));
        }
        self.writer.next_block("endif");
    }

    pub(super) fn call_block(&mut self, defined: &Macro<'_>, call: &Expr<'_>, line: usize) {
        let ExprKind::Call(called, args) = &call.kind else { return };
        self.writer.block(line);
        self.writer.put("with");
        self.macro_definition(defined);
        // The call is on the first line; its text would come behind the block's.
        self.print_call(called, args);
        self.writer.next_block("endwith");
    }

    fn print_call(&mut self, called: &Expr<'_>, args: &Args<'_>) {
        self.writer.print(0);
        self.call(called, args, Some("__caller"));
    }

    /// `load_yaml` and its kind: the block is a macro of its own in Salt.
    pub(super) fn load(&mut self, format: &str, target: &Target<'_>, body: &Body<'_>, line: usize) {
        self.captured(body, line);
        self.writer.next_block("set ");
        self.target(target);
        self.writer.put(&format!(" = __load_{format}(__c)"));
        if let Some(length) = length(target) {
            self.writer.put(&format!("|__unpack({length})"));
        }
    }
}
