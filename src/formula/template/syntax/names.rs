//! Which names statements read and assign, in the order in which Jinja looks at them.

use std::collections::HashSet;

use super::tree::{Body, Expr, ExprKind, Macro, Stmt, StmtKind, Target};

/// One use of a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use<'s> {
    Read(&'s str),
    Assigned(&'s str, usize),
    /// A parameter of a macro, or what a `with` assigns.
    Param(&'s str),
    /// The name of a macro, or of what is imported.
    Bound(&'s str),
}

type Visit<'a, 's> = &'a mut dyn FnMut(Use<'s>);

/// Every use of a name in some statements; those within blocks count only if asked for.
pub(super) fn uses<'s>(body: &Body<'s>, with_blocks: bool, visit: Visit<'_, 's>) {
    for stmt in body {
        statement(stmt, with_blocks, visit);
    }
}

/// Every use of a name in an expression.
pub(super) fn expr_uses<'s>(expr: &Expr<'s>, visit: Visit<'_, 's>) {
    if let ExprKind::Name(name) = expr.kind {
        visit(Use::Read(name));
    }
    expr.kind.each(&mut |inner| expr_uses(inner, visit));
}

/// Every use of a name in a target.
pub(super) fn target_uses<'s>(target: &Target<'s>, visit: Visit<'_, 's>) {
    match target {
        Target::Name { name, line } => visit(Use::Assigned(name, *line)),
        Target::Attribute { namespace, .. } => visit(Use::Read(namespace)),
        Target::Tuple(items) => items.iter().for_each(|item| target_uses(item, visit)),
    }
}

fn macro_uses<'s>(defined: &Macro<'s>, with_blocks: bool, visit: Visit<'_, 's>) {
    for (name, default) in &defined.params {
        visit(Use::Param(name));
        if let Some(default) = default {
            expr_uses(default, visit);
        }
    }
    uses(&defined.body, with_blocks, visit);
}

fn statement<'s>(stmt: &Stmt<'s>, with_blocks: bool, visit: Visit<'_, 's>) {
    match &stmt.kind {
        StmtKind::Print(value) | StmtKind::Do(value) | StmtKind::Extends(value) => expr_uses(value, visit),
        StmtKind::For(inner) => {
            target_uses(&inner.target, visit);
            expr_uses(&inner.items, visit);
            uses(&inner.body, with_blocks, visit);
            if let Some(body) = &inner.otherwise {
                uses(body, with_blocks, visit);
            }
            inner.test.iter().for_each(|test| expr_uses(test, visit));
        }
        StmtKind::If { branches, otherwise } => {
            for (test, body) in branches {
                expr_uses(test, visit);
                uses(body, with_blocks, visit);
            }
            if let Some(body) = otherwise {
                uses(body, with_blocks, visit);
            }
        }
        StmtKind::With { assigned, body } => {
            for (target, value) in assigned {
                target_uses(target, &mut |used| match used {
                    Use::Assigned(name, _) => visit(Use::Param(name)),
                    other => visit(other),
                });
                expr_uses(value, visit);
            }
            uses(body, with_blocks, visit);
        }
        StmtKind::Set(target, value) => {
            target_uses(target, visit);
            expr_uses(value, visit);
        }
        StmtKind::SetBlock { target, filter, body } => {
            target_uses(target, visit);
            if let Some(filter) = filter {
                expr_uses(filter, visit);
            }
            uses(body, with_blocks, visit);
        }
        StmtKind::FilterBlock { filter, body } | StmtKind::Autoescape(filter, body) => {
            uses(body, with_blocks, visit);
            expr_uses(filter, visit);
        }
        StmtKind::Macro(defined) => {
            defined.name.iter().for_each(|name| visit(Use::Bound(name)));
            macro_uses(defined, with_blocks, visit);
        }
        StmtKind::Call(defined, call) => {
            expr_uses(call, visit);
            macro_uses(defined, with_blocks, visit);
        }
        StmtKind::Block { body, .. } if with_blocks => uses(body, with_blocks, visit),
        StmtKind::Block { .. } | StmtKind::Data(_) | StmtKind::Break | StmtKind::Continue => {}
        StmtKind::Include { template, .. } => expr_uses(template, visit),
        StmtKind::Import { template, target, .. } | StmtKind::ImportData { template, target, .. } => {
            expr_uses(template, visit);
            visit(Use::Bound(target));
        }
        StmtKind::FromImport { template, names, .. } => {
            expr_uses(template, visit);
            for (_, alias) in names {
                visit(Use::Bound(alias));
            }
        }
        StmtKind::Load { target, body, .. } => {
            uses(body, with_blocks, visit);
            target_uses(target, visit);
        }
        StmtKind::Profile(label, body) => {
            expr_uses(label, visit);
            uses(body, with_blocks, visit);
        }
    }
}

/// Whether some statements read a name before they assign it.
pub(super) fn is_read_first(body: &Body<'_>, name: &str) -> bool {
    let (mut is_read, mut is_assigned) = (false, false);
    uses(body, false, &mut |used| match used {
        Use::Read(other) if other == name => is_read |= !is_assigned,
        Use::Assigned(other, _) | Use::Param(other) if other == name => is_assigned = true,
        _ => {}
    });
    is_read
}

/// Whether a name is a variable that a template itself makes; parameters of macros only count for `self`.
pub(super) fn is_assigned(body: &Body<'_>, name: &str) -> bool {
    let mut is_assigned = false;
    uses(body, true, &mut |used| match used {
        Use::Assigned(other, _) | Use::Bound(other) => is_assigned |= other == name,
        Use::Param(other) => is_assigned |= other == name && name == "self",
        Use::Read(_) => {}
    });
    is_assigned
}

/// The names that the inside of a macro both reads and assigns, in their order.
pub(super) fn read_and_assigned<'s>(defined: &Macro<'s>) -> Vec<&'s str> {
    let (mut read, mut assigned) = (Vec::new(), HashSet::new());
    macro_uses(defined, false, &mut |used| match used {
        Use::Read(name) => read.push(name),
        Use::Assigned(name, _) | Use::Param(name) | Use::Bound(name) => {
            assigned.insert(name);
        }
    });
    let mut seen: HashSet<&str> = defined.params.iter().map(|(name, _)| *name).collect();
    seen.extend(["caller", "varargs", "kwargs"]);
    read.retain(|name| assigned.contains(name) && seen.insert(name));
    read
}

/// The names that a template imports and does not assign later on, in their order.
pub(super) fn imported_only<'s>(body: &Body<'s>) -> Vec<&'s str> {
    let mut imported = Vec::new();
    top_level(body, &mut |name, is_import| {
        imported.retain(|other| *other != name);
        if is_import {
            imported.push(name);
        }
    });
    imported
}

/// What becomes of names that a template assigns for itself and for who imports it.
fn top_level<'s>(body: &Body<'s>, visit: &mut dyn FnMut(&'s str, bool)) {
    for stmt in body {
        match &stmt.kind {
            StmtKind::Import { target, .. } => visit(target, true),
            StmtKind::FromImport { names, .. } => names.iter().for_each(|(_, alias)| visit(alias, true)),
            StmtKind::ImportData { target, .. } => visit(target, false),
            StmtKind::Macro(defined) => defined.name.iter().for_each(|name| visit(name, false)),
            StmtKind::Set(target, _) | StmtKind::SetBlock { target, .. } | StmtKind::Load { target, .. } => {
                target_uses(target, &mut |used| {
                    if let Use::Assigned(name, _) = used {
                        visit(name, false);
                    }
                });
            }
            StmtKind::If { branches, otherwise } => {
                for body in branches.iter().map(|(_, body)| body).chain(otherwise) {
                    top_level(body, visit);
                }
            }
            StmtKind::Profile(_, body) => top_level(body, visit),
            _ => {}
        }
    }
}

/// Whether some statements assign names in the scope that they are in.
pub(super) fn assigns(body: &Body<'_>) -> bool {
    body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Set(..)
        | StmtKind::SetBlock { .. }
        | StmtKind::Macro(_)
        | StmtKind::Load { .. }
        | StmtKind::Import { .. }
        | StmtKind::FromImport { .. }
        | StmtKind::ImportData { .. } => true,
        StmtKind::If { branches, otherwise } => {
            branches.iter().any(|(_, body)| assigns(body)) || otherwise.as_ref().is_some_and(assigns)
        }
        StmtKind::Profile(_, body) => assigns(body),
        _ => false,
    })
}

/// Whether some statements leave a loop that is around them.
pub(super) fn leaves_loop(body: &Body<'_>) -> bool {
    body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Break | StmtKind::Continue => true,
        StmtKind::If { branches, otherwise } => {
            branches.iter().any(|(_, body)| leaves_loop(body)) || otherwise.as_ref().is_some_and(leaves_loop)
        }
        StmtKind::For(inner) => inner.otherwise.as_ref().is_some_and(leaves_loop),
        StmtKind::With { body, .. }
        | StmtKind::Profile(_, body)
        | StmtKind::Autoescape(_, body)
        | StmtKind::SetBlock { body, .. }
        | StmtKind::FilterBlock { body, .. } => leaves_loop(body),
        _ => false,
    })
}
