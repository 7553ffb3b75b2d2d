//! What a template says: statements and expressions, each with its line.

use std::borrow::Cow;

/// An expression.
#[derive(Debug)]
pub(super) struct Expr<'s> {
    pub line: usize,
    /// How many expressions are below one another here, this one counted.
    pub height: usize,
    pub kind: ExprKind<'s>,
}

/// What an expression is.
#[derive(Debug)]
pub(super) enum ExprKind<'s> {
    None,
    Bool(bool),
    Integer(u128),
    Float(f64),
    Text(Cow<'s, str>),
    Name(&'s str),
    /// `a.b` where it is assigned to.
    NamespaceRef(&'s str, &'s str),
    Tuple(Vec<Expr<'s>>),
    List(Vec<Expr<'s>>),
    Dict(Vec<(Expr<'s>, Expr<'s>)>),
    Attribute(Box<Expr<'s>>, &'s str),
    Item(Box<Expr<'s>>, Box<Expr<'s>>),
    /// `a:b:c` between brackets.
    Slice(Box<[Option<Expr<'s>>; 3]>),
    Call(Box<Expr<'s>>, Box<Args<'s>>),
    /// A filter; what it is applied to is `None` at the beginning of a filter block.
    Filter(Option<Box<Expr<'s>>>, Box<Applied<'s>>),
    Test(Box<Expr<'s>>, Box<Applied<'s>>),
    Not(Box<Expr<'s>>),
    Negative(Box<Expr<'s>>),
    Positive(Box<Expr<'s>>),
    Binary(Operator, Box<Expr<'s>>, Box<Expr<'s>>),
    Concat(Vec<Expr<'s>>),
    Compare(Box<Expr<'s>>, Vec<(Comparison, Expr<'s>)>),
    And(Box<Expr<'s>>, Box<Expr<'s>>),
    Or(Box<Expr<'s>>, Box<Expr<'s>>),
    If(Box<Conditional<'s>>),
}

/// `then if test else otherwise`.
#[derive(Debug)]
pub(super) struct Conditional<'s> {
    pub test: Expr<'s>,
    pub then: Expr<'s>,
    pub otherwise: Option<Expr<'s>>,
}

/// What a call is given.
#[derive(Debug, Default)]
pub(super) struct Args<'s> {
    pub positional: Vec<Expr<'s>>,
    pub named: Vec<(&'s str, Expr<'s>)>,
    /// `*expression`.
    pub rest: Option<Expr<'s>>,
    /// `**expression`.
    pub named_rest: Option<Expr<'s>>,
}

/// A filter or a test.
#[derive(Debug)]
pub(super) struct Applied<'s> {
    pub name: Cow<'s, str>,
    pub line: usize,
    pub args: Args<'s>,
}

/// An operator between two operands that are always both evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

/// What can be assigned to.
#[derive(Debug)]
pub(super) enum Target<'s> {
    Name { name: &'s str, line: usize },
    Attribute { namespace: &'s str, name: &'s str },
    Tuple(Vec<Target<'s>>),
}

/// A statement.
#[derive(Debug)]
pub(super) struct Stmt<'s> {
    pub line: usize,
    pub kind: StmtKind<'s>,
}

/// Statements one after the other.
pub(super) type Body<'s> = Vec<Stmt<'s>>;

/// What a statement is.
#[derive(Debug)]
pub(super) enum StmtKind<'s> {
    Data(&'s str),
    Print(Expr<'s>),
    For(Box<For<'s>>),
    If {
        branches: Vec<(Expr<'s>, Body<'s>)>,
        otherwise: Option<Body<'s>>,
    },
    With {
        assigned: Vec<(Target<'s>, Expr<'s>)>,
        body: Body<'s>,
    },
    Set(Target<'s>, Expr<'s>),
    SetBlock {
        target: Target<'s>,
        filter: Option<Expr<'s>>,
        body: Body<'s>,
    },
    FilterBlock {
        filter: Expr<'s>,
        body: Body<'s>,
    },
    Autoescape(Expr<'s>, Body<'s>),
    Do(Expr<'s>),
    Macro(Box<Macro<'s>>),
    /// A call block: what its `caller` is, and the call.
    Call(Box<Macro<'s>>, Expr<'s>),
    Block {
        name: &'s str,
        is_required: bool,
        body: Body<'s>,
    },
    Extends(Expr<'s>),
    Include {
        template: Expr<'s>,
        ignore_missing: bool,
        with_context: bool,
    },
    Import {
        template: Expr<'s>,
        target: &'s str,
        with_context: bool,
    },
    FromImport {
        template: Expr<'s>,
        names: Vec<(&'s str, &'s str)>,
        with_context: bool,
    },
    /// `import_yaml` and its kind; the format is `yaml`, `json` or `text`.
    ImportData {
        format: &'s str,
        template: Expr<'s>,
        target: &'s str,
        with_context: bool,
    },
    /// `load_yaml` and its kind.
    Load {
        format: &'s str,
        target: Target<'s>,
        body: Body<'s>,
    },
    Profile(Expr<'s>, Body<'s>),
    Break,
    Continue,
}

/// A loop.
#[derive(Debug)]
pub(super) struct For<'s> {
    pub target: Target<'s>,
    pub items: Expr<'s>,
    pub test: Option<Expr<'s>>,
    pub is_recursive: bool,
    pub body: Body<'s>,
    pub otherwise: Option<Body<'s>>,
}

/// A macro, or what a call block passes on as `caller`.
#[derive(Debug)]
pub(super) struct Macro<'s> {
    /// `None` for a call block.
    pub name: Option<&'s str>,
    pub line: usize,
    pub params: Vec<(&'s str, Option<Expr<'s>>)>,
    pub body: Body<'s>,
}

impl<'s> ExprKind<'s> {
    /// What Jinja calls the class of an expression, in lower case.
    pub(super) fn class_name(&self) -> &'static str {
        match self {
            Self::None | Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) => "const",
            Self::Name(_) => "name",
            Self::NamespaceRef(..) => "nsref",
            Self::Tuple(_) => "tuple",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
            Self::Attribute(..) => "getattr",
            Self::Item(..) => "getitem",
            Self::Slice(_) => "slice",
            Self::Call(..) => "call",
            Self::Filter(..) => "filter",
            Self::Test(..) => "test",
            Self::Not(_) => "not",
            Self::Negative(_) => "neg",
            Self::Positive(_) => "pos",
            Self::Binary(operator, ..) => operator.class_name(),
            Self::Concat(_) => "concat",
            Self::Compare(..) => "compare",
            Self::And(..) => "and",
            Self::Or(..) => "or",
            Self::If(_) => "condexpr",
        }
    }

    /// Calls a function on every expression directly below this one, in the order in which they stand.
    pub(super) fn each(&self, visit: &mut impl FnMut(&Expr<'s>)) {
        match self {
            Self::None
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Name(_)
            | Self::NamespaceRef(..) => {}
            Self::Tuple(items) | Self::List(items) | Self::Concat(items) => items.iter().for_each(visit),
            Self::Dict(entries) => {
                for (key, value) in entries {
                    visit(key);
                    visit(value);
                }
            }
            Self::Attribute(one, _) | Self::Not(one) | Self::Negative(one) | Self::Positive(one) => visit(one),
            Self::Item(one, two) | Self::Binary(_, one, two) | Self::And(one, two) | Self::Or(one, two) => {
                visit(one);
                visit(two);
            }
            Self::Slice(parts) => parts.iter().flatten().for_each(visit),
            Self::Call(one, args) => {
                visit(one);
                args.each(visit);
            }
            Self::Filter(one, applied) => {
                if let Some(one) = one {
                    visit(one);
                }
                applied.args.each(visit);
            }
            Self::Test(one, applied) => {
                visit(one);
                applied.args.each(visit);
            }
            Self::Compare(one, others) => {
                visit(one);
                for (_, other) in others {
                    visit(other);
                }
            }
            Self::If(condition) => {
                visit(&condition.test);
                visit(&condition.then);
                condition.otherwise.iter().for_each(visit);
            }
        }
    }
}

impl<'s> Args<'s> {
    /// Calls a function on every argument.
    pub(super) fn each(&self, visit: &mut impl FnMut(&Expr<'s>)) {
        self.positional.iter().for_each(&mut *visit);
        self.named.iter().for_each(|(_, value)| visit(value));
        self.rest.iter().for_each(&mut *visit);
        self.named_rest.iter().for_each(visit);
    }
}

impl Operator {
    fn class_name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "sub",
            Self::Multiply => "mul",
            Self::Divide => "div",
            Self::FloorDivide => "floordiv",
            Self::Modulo => "mod",
            Self::Power => "pow",
        }
    }
}
