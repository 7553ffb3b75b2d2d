//! Which names statements read and assign, in the order in which Jinja looks at them.

use std::collections::HashSet;

use super::tree::{Body, Expr, ExprKind, Macro, Stmt, StmtKind, Target};

/// One use of a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use<'s> {
    Read(&'s str),
    Assigned(&'s str, usize),
    /// Assigned as a parameter, a loop's target is not one.
    Param(&'s str),
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
        StmtKind::Data(_) | StmtKind::Break | StmtKind::Continue => {}
        StmtKind::Print(value) | StmtKind::Do(value) | StmtKind::Extends(value) => expr_uses(value, visit),
        StmtKind::For(inner) => {
            target_uses(&inner.target, visit);
            expr_uses(&inner.items, visit);
            uses(&inner.body, with_blocks, visit);
            inner.otherwise.iter().for_each(|body| uses(body, with_blocks, visit));
            inner.test.iter().for_each(|test| expr_uses(test, visit));
        }
        StmtKind::If { branches, otherwise } => {
            for (test, body) in branches {
                expr_uses(test, visit);
                uses(body, with_blocks, visit);
            }
            otherwise.iter().for_each(|body| uses(body, with_blocks, visit));
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
            filter.iter().for_each(|filter| expr_uses(filter, visit));
            uses(body, with_blocks, visit);
        }
        StmtKind::FilterBlock { filter, body } | StmtKind::Autoescape(filter, body) => {
            uses(body, with_blocks, visit);
            expr_uses(filter, visit);
        }
        StmtKind::Macro(defined) => macro_uses(defined, with_blocks, visit),
        StmtKind::Call(defined, call) => {
            expr_uses(call, visit);
            macro_uses(defined, with_blocks, visit);
        }
        StmtKind::Block { body, .. } if with_blocks => uses(body, with_blocks, visit),
        StmtKind::Block { .. } => {}
        StmtKind::Include { template, .. } | StmtKind::Import { template, .. } => expr_uses(template, visit),
        StmtKind::FromImport { template, .. } | StmtKind::ImportData { template, .. } => expr_uses(template, visit),
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

/// The names that the inside of a macro both reads and assigns, in their order.
pub(super) fn read_and_assigned<'s>(defined: &Macro<'s>) -> Vec<&'s str> {
    let (mut read, mut assigned) = (Vec::new(), HashSet::new());
    macro_uses(defined, false, &mut |used| match used {
        Use::Read(name) => read.push(name),
        Use::Assigned(name, _) | Use::Param(name) => {
            assigned.insert(name);
        }
    });
    let mut seen: HashSet<&str> = defined.params.iter().map(|(name, _)| *name).collect();
    seen.extend(["caller", "varargs", "kwargs"]);
    read.retain(|name| assigned.contains(name) && seen.insert(name));
    read
}

/// Whether some statements assign names in the scope that they are in.
pub(super) fn assigns(body: &Body<'_>) -> bool {
    body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Set(..) | StmtKind::SetBlock { .. } | StmtKind::Macro(_) | StmtKind::Load { .. } => true,
        StmtKind::Import { .. } | StmtKind::FromImport { .. } | StmtKind::ImportData { .. } => true,
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
        StmtKind::With { body, .. } | StmtKind::Profile(_, body) | StmtKind::Autoescape(_, body) => leaves_loop(body),
        StmtKind::SetBlock { body, .. } | StmtKind::FilterBlock { body, .. } => leaves_loop(body),
        _ => false,
    })
}
