//! Expressions.

use super::super::tree::{Applied, Args, Comparison, Expr, ExprKind, Operator};
use super::{Emitter, WORDS, identifier};

/// How closely an expression binds in minijinja.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Level {
    /// `a if b else c`.
    If,
    Or,
    And,
    Not,
    Compare,
    /// What filters and tests can be put behind.
    Chain,
    /// What attributes, subscripts and calls can be put behind.
    Postfix,
}

/// The methods of Python's dictionaries, lists, tuples, strings and numbers: an attribute of such a name is a method
/// before it is an entry of a dictionary.
const METHODS: &[&str] = &[
    "append",
    "as_integer_ratio",
    "bit_count",
    "bit_length",
    "capitalize",
    "casefold",
    "center",
    "clear",
    "conjugate",
    "copy",
    "count",
    "decode",
    "denominator",
    "encode",
    "endswith",
    "expandtabs",
    "extend",
    "find",
    "format",
    "format_map",
    "fromkeys",
    "get",
    "has_key",
    "hex",
    "imag",
    "index",
    "insert",
    "is_integer",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "items",
    "iteritems",
    "iterkeys",
    "itervalues",
    "join",
    "keys",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "move_to_end",
    "numerator",
    "partition",
    "pop",
    "popitem",
    "real",
    "remove",
    "removeprefix",
    "removesuffix",
    "replace",
    "reverse",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "setdefault",
    "sort",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "update",
    "upper",
    "values",
    "zfill",
];

fn is_method(name: &str) -> bool {
    METHODS.binary_search(&name).is_ok()
}

/// Whether comparing with this never looks into another value, so that minijinja's `==` is Python's.
fn is_scalar(expr: &Expr<'_>) -> bool {
    use ExprKind::{Bool, Float, Integer, None, Text};
    matches!(expr.kind, None | Bool(_) | Integer(_) | Float(_) | Text(_))
}

/// Whether an expression is made of literals alone.
fn is_literal(expr: &Expr<'_>) -> bool {
    let mut is_literal = match expr.kind {
        ExprKind::Tuple(_) | ExprKind::List(_) | ExprKind::Dict(_) | ExprKind::Binary(..) => true,
        _ => is_scalar(expr),
    };
    expr.kind.each(&mut |inner| is_literal = is_literal && self::is_literal(inner));
    is_literal
}

/// Whether minijinja's own operator has Python's results.
fn is_native(one: &Expr<'_>, comparison: Comparison, two: &Expr<'_>) -> bool {
    match comparison {
        Comparison::Equal | Comparison::NotEqual => is_scalar(one) || is_scalar(two),
        _ => false,
    }
}

fn level(expr: &Expr<'_>) -> Level {
    match &expr.kind {
        ExprKind::None | ExprKind::Bool(_) | ExprKind::Text(_) | ExprKind::Name(_) | ExprKind::Tuple(_) => {
            Level::Postfix
        }
        ExprKind::Attribute(subject, name) if !is_bound(subject, name) => Level::Postfix,
        ExprKind::Item(_, key) => match &key.kind {
            ExprKind::Text(name) if !is_method(name) => Level::Postfix,
            _ => Level::Chain,
        },
        ExprKind::Call(subject, _) if !is_guarded(subject) => Level::Postfix,
        ExprKind::Not(inner) if !matches!(inner.kind, ExprKind::Test(..)) => Level::Not,
        ExprKind::Compare(one, others) => match others.as_slice() {
            [(comparison, two)] if is_native(one, *comparison, two) => Level::Compare,
            [_] => Level::Chain,
            _ => Level::And,
        },
        ExprKind::And(..) => Level::And,
        ExprKind::Or(..) => Level::Or,
        ExprKind::If(_) => Level::If,
        _ => Level::Chain,
    }
}

/// Whether an attribute can be a method that is not called here.
fn is_bound(subject: &Expr<'_>, name: &str) -> bool {
    is_method(name) && !matches!(subject.kind, ExprKind::Name("loop"))
}

/// Whether a call could make minijinja panic: `loop.cycle()` divides by the number of its arguments.
fn is_guarded(called: &Expr<'_>) -> bool {
    matches!(called.kind, ExprKind::Attribute(_, "cycle" | "changed"))
}

impl Emitter {
    /// An expression, in parentheses if it does not bind closely enough.
    pub(super) fn expr(&mut self, expr: &Expr<'_>, least: Level) {
        // A filter is on its own line, which can come after the one of what it is applied to.
        if !matches!(expr.kind, ExprKind::Filter(Some(_), _)) {
            self.writer.go_to(expr.line);
        }
        if level(expr) < least {
            self.writer.put("(");
            self.bare(expr);
            self.writer.put(")");
        } else {
            self.bare(expr);
        }
    }

    /// A filter behind an expression, with arguments that are written already.
    pub(super) fn piped(&mut self, subject: &Expr<'_>, filter: &str) {
        self.expr(subject, Level::Chain);
        self.writer.put("|");
        self.writer.put(filter);
    }

    fn bare(&mut self, expr: &Expr<'_>) {
        match &expr.kind {
            ExprKind::None => self.writer.put("none"),
            ExprKind::Bool(value) => self.writer.put(if *value { "true" } else { "false" }),
            ExprKind::Integer(number) => self.writer.put(&number.to_string()),
            ExprKind::Float(number) if number.is_finite() => self.writer.put(&format!("{number:?}")),
            ExprKind::Float(_) => self.writer.put("1e400"),
            ExprKind::Text(text) => self.writer.quote(text),
            ExprKind::Name(name) => self.put_variable(name),
            ExprKind::NamespaceRef(..) | ExprKind::Slice(_) => {}
            ExprKind::Tuple(items) => self.row(items),
            ExprKind::List(items) => {
                self.row(items);
                self.writer.put("|__list");
            }
            ExprKind::Dict(entries) => self.dict(entries),
            ExprKind::Attribute(subject, name) => self.attribute(subject, name),
            ExprKind::Item(subject, key) => self.item(subject, key),
            ExprKind::Call(called, args) => self.call(called, args, None),
            ExprKind::Filter(subject, applied) => self.filter(subject.as_deref(), applied),
            ExprKind::Test(subject, applied) => self.test(subject, applied, " is "),
            ExprKind::Not(inner) => match &inner.kind {
                ExprKind::Test(subject, applied) => self.test(subject, applied, " is not "),
                _ => {
                    self.writer.put("not ");
                    self.expr(inner, Level::Not);
                }
            },
            ExprKind::Negative(inner) => match inner.kind {
                ExprKind::Integer(_) | ExprKind::Float(_) => {
                    self.writer.put("-");
                    self.expr(inner, Level::Chain);
                }
                _ => self.piped(inner, "__neg"),
            },
            ExprKind::Positive(inner) => self.piped(inner, "__pos"),
            ExprKind::Binary(operator, one, two) => self.binary(*operator, one, two),
            ExprKind::Concat(parts) => {
                self.row(parts);
                self.writer.put("|__concat");
            }
            ExprKind::Compare(first, others) => self.compare(first, others),
            ExprKind::And(one, two) => self.joined(one, " and ", two, Level::And, Level::Not),
            ExprKind::Or(one, two) => self.joined(one, " or ", two, Level::Or, Level::And),
            ExprKind::If(condition) => {
                self.joined(&condition.then, " if ", &condition.test, Level::Or, Level::Or);
                if let Some(otherwise) = &condition.otherwise {
                    self.writer.put(" else ");
                    self.expr(otherwise, Level::If);
                }
            }
        }
    }

    fn joined(&mut self, one: &Expr<'_>, word: &str, two: &Expr<'_>, left: Level, right: Level) {
        self.expr(one, left);
        self.writer.put(word);
        self.expr(two, right);
    }

    /// Expressions as a tuple.
    pub(super) fn row(&mut self, items: &[Expr<'_>]) {
        self.writer.put("(");
        self.list(items);
        self.writer.put(if items.len() == 1 { ",)" } else { ")" });
    }

    fn list(&mut self, items: &[Expr<'_>]) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.writer.put(", ");
            }
            self.expr(item, Level::If);
        }
    }

    fn dict(&mut self, entries: &[(Expr<'_>, Expr<'_>)]) {
        self.writer.put("(");
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.writer.put(", ");
            }
            self.joined(key, ", ", value, Level::If, Level::If);
        }
        self.writer.put(")|__dict");
    }

    fn attribute(&mut self, subject: &Expr<'_>, name: &str) {
        if is_bound(subject, name) {
            self.piped(subject, "__attr(\"");
            self.writer.put(name);
            self.writer.put("\")");
        } else {
            self.plain_attribute(subject, name);
        }
    }

    fn plain_attribute(&mut self, subject: &Expr<'_>, name: &str) {
        self.expr(subject, Level::Postfix);
        if name.is_ascii() {
            self.writer.put(".");
            self.writer.put(name);
        } else {
            self.writer.put("[");
            self.writer.quote(name);
            self.writer.put("]");
        }
    }

    fn item(&mut self, subject: &Expr<'_>, key: &Expr<'_>) {
        match &key.kind {
            ExprKind::Text(name) if !is_method(name) => {
                self.expr(subject, Level::Postfix);
                self.writer.put("[");
                self.writer.quote(name);
                self.writer.put("]");
            }
            ExprKind::Slice(parts) => {
                self.piped(subject, "__slice(");
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        self.writer.put(", ");
                    }
                    match part {
                        Some(part) => self.expr(part, Level::If),
                        None => self.writer.put("none"),
                    }
                }
                self.writer.put(")");
            }
            _ => {
                self.piped(subject, "__item(");
                self.expr(key, Level::If);
                self.writer.put(")");
            }
        }
    }

    /// A call; `caller` is a variable to pass on as the keyword argument of that name.
    pub(super) fn call(&mut self, called: &Expr<'_>, args: &Args<'_>, caller: Option<&str>) {
        match (&called.kind, args.positional.as_slice(), self.recursive.last().copied()) {
            (ExprKind::Name("loop"), [items], Some(length)) => {
                self.writer.put("loop(");
                self.piped(items, "__iter");
                self.length(length);
                self.writer.put(")");
            }
            (ExprKind::Attribute(subject, name), ..) if is_guarded(called) => {
                self.piped(subject, "__method(\"");
                self.writer.put(name);
                self.writer.put("\"");
                self.args(args, caller, true);
                self.writer.put(")");
            }
            (kind, ..) => {
                match kind {
                    ExprKind::Attribute(subject, name) => self.plain_attribute(subject, name),
                    _ => self.expr(called, Level::Postfix),
                }
                self.writer.put("(");
                self.args(args, caller, false);
                self.writer.put(")");
            }
        }
    }

    /// An argument of `__iter` and its kind: how many items each item must have.
    pub(super) fn length(&mut self, length: Option<usize>) {
        if let Some(length) = length {
            self.writer.put(&format!("({length})"));
        }
    }

    fn args(&mut self, args: &Args<'_>, caller: Option<&str>, is_continued: bool) {
        let mut is_continued = is_continued;
        let mut separate = |emitter: &mut Self| {
            if std::mem::replace(&mut is_continued, true) {
                emitter.writer.put(", ");
            }
        };
        for value in &args.positional {
            separate(self);
            self.expr(value, Level::If);
        }
        if let Some(rest) = &args.rest {
            separate(self);
            self.writer.put("*");
            self.expr(rest, Level::If);
        }
        for (name, value) in &args.named {
            separate(self);
            let is_word = WORDS.contains(name) || ["true", "True", "false", "False", "none", "None"].contains(name);
            if is_word || !name.is_ascii() {
                // What minijinja's grammar does not take as a keyword.
                self.writer.put("**((");
                self.writer.quote(name);
                self.writer.put(", ");
                self.expr(value, Level::If);
                self.writer.put(")|__dict)");
            } else {
                self.writer.put(name);
                self.writer.put("=");
                self.expr(value, Level::If);
            }
        }
        if let Some(rest) = &args.named_rest {
            separate(self);
            self.writer.put("**");
            self.expr(rest, Level::If);
        }
        if let Some(caller) = caller {
            separate(self);
            self.writer.put("caller=");
            self.writer.put(caller);
        }
    }

    fn filter(&mut self, subject: Option<&Expr<'_>>, applied: &Applied<'_>) {
        match subject {
            Some(subject) => self.expr(subject, Level::Chain),
            None => self.writer.put(self.filtered),
        }
        self.writer.go_to(applied.line);
        self.writer.put("|");
        self.applied_name(&applied.name);
        let args = &applied.args;
        if !(args.positional.is_empty() && args.named.is_empty() && args.rest.is_none() && args.named_rest.is_none()) {
            self.writer.put("(");
            self.args(args, None, false);
            self.writer.put(")");
        }
    }

    fn test(&mut self, subject: &Expr<'_>, applied: &Applied<'_>, word: &str) {
        self.expr(subject, Level::Chain);
        self.writer.put(word);
        self.applied_name(&applied.name);
        // Without the parentheses minijinja could take the next word for an argument.
        self.writer.put("(");
        self.args(&applied.args, None, false);
        self.writer.put(")");
    }

    /// The filters that stand for operators have names that a template cannot reach.
    fn applied_name(&mut self, name: &str) {
        if name.starts_with("__") {
            self.writer.put("unknown");
        }
        match name.is_ascii() {
            true => self.writer.put(name),
            false => self.writer.put(&identifier(name)),
        }
    }

    fn binary(&mut self, operator: Operator, one: &Expr<'_>, two: &Expr<'_>) {
        let filter = match operator {
            Operator::Add => "__add(",
            Operator::Subtract => "__sub(",
            Operator::Multiply => "__mul(",
            Operator::Divide => "__div(",
            Operator::FloorDivide => "__floordiv(",
            Operator::Modulo => "__mod(",
            Operator::Power => "__pow(",
        };
        self.piped(one, filter);
        self.expr(two, Level::If);
        let is_folded = operator == Operator::Multiply
            && matches!(
                (&one.kind, &two.kind),
                (ExprKind::List(_), ExprKind::Integer(_)) | (ExprKind::Integer(_), ExprKind::List(_))
            )
            && is_literal(one)
            && is_literal(two);
        self.writer.put(if is_folded { ", true)" } else { ")" });
    }

    /// `a < b < c` is `a < b and b < c`, with `b` evaluated once.
    fn compare(&mut self, first: &Expr<'_>, others: &[(Comparison, Expr<'_>)]) {
        if let [(comparison, second)] = others
            && is_native(first, *comparison, second)
        {
            let word = if *comparison == Comparison::Equal { " == " } else { " != " };
            return self.joined(first, word, second, Level::Chain, Level::Chain);
        }
        let mut left = Some(first);
        for (index, (comparison, right)) in others.iter().enumerate() {
            if index > 0 {
                self.writer.put(" and ");
            }
            match left {
                Some(left) => self.expr(left, Level::Chain),
                None => self.writer.put("none|__kept"),
            }
            self.writer.put(match comparison {
                Comparison::Equal => "|__eq(",
                Comparison::NotEqual => "|__ne(",
                Comparison::Less => "|__lt(",
                Comparison::LessEqual => "|__le(",
                Comparison::Greater => "|__gt(",
                Comparison::GreaterEqual => "|__ge(",
                Comparison::In => "|__in(",
                Comparison::NotIn => "|__notin(",
            });
            let is_plain = matches!(right.kind, ExprKind::Name(_)) || is_scalar(right);
            if is_plain || index + 1 == others.len() {
                self.expr(right, Level::If);
                left = Some(right);
            } else {
                self.piped(right, "__keep");
                left = None;
            }
            self.writer.put(")");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::METHODS;

    #[test]
    fn the_methods_are_in_order() {
        assert!(METHODS.is_sorted());
    }
}
