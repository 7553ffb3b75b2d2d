//! Global functions: `range`, `dict`, `odict`, `namespace`, `cycler`, `joiner`, `lipsum`, `raise` and their kind.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use rand::RngExt as _;

use super::filters::arguments::{Args, Run, index, split, wrong};
use super::filters::{chance, values};
use super::strings::capitalized;
use super::value::{Namespace, by_place, dict, ordered_dict, pairs, release, text};

const GLOBALS: &[(&str, &str, Run)] = &[
    ("cycler", "*", cycler),
    ("ifelse", "* **", ifelse),
    ("joiner", "sep?", |args| Ok(joiner(args.get("sep")))),
    ("lipsum", "n? html? min? max?", lipsum),
    ("raise", "msg", |args| Err(wrong(text(&args.value())))),
    ("range", "*", range),
];

/// Adds every global function.
pub(super) fn add(env: &mut Environment<'_>) {
    for (name, parameters, run) in GLOBALS.iter().copied() {
        env.add_function(name, move |args: Rest<ValueOrKwargs>| run(&Args::bind(name, parameters, &values(args))?));
    }
    env.add_function("dict", |args: Rest<ValueOrKwargs>| mapping(&values(args)).map(dict));
    env.add_function("odict", |args: Rest<ValueOrKwargs>| mapping(&values(args)).map(ordered_dict));
    env.add_function("namespace", |args: Rest<ValueOrKwargs>| {
        mapping(&values(args)).map(|attributes| Value::from_object(Namespace::new(attributes)))
    });
    env.add_function("show_full_context", show_full_context);
}

/// What `dict(…)` takes: a mapping or a list of pairs, then keyword arguments.
fn mapping(args: &[Value]) -> Result<Vec<(Value, Value)>, Error> {
    let (positional, named) = split(args)?;
    let mut entries = match positional {
        [] => Vec::new(),
        [one] => pairs(one)?,
        more => return Err(wrong(format!("dict expected at most 1 argument, got {}", more.len()))),
    };
    entries.extend(named.into_iter().map(|(name, value)| (Value::from(name), value)));
    Ok(entries)
}

/// What Jinja's sandbox lets a range have at most.
const LONGEST_RANGE: i128 = 100_000;

/// Whether a value is a range.
pub(super) fn is_range(value: &Value) -> bool {
    value.downcast_object_ref::<Range>().is_some()
}

/// Python's `range`: numbers that are made as they are asked for.
struct Range {
    start: i128,
    stop: i128,
    step: i128,
    length: usize,
}

fn range(args: &Args) -> Result<Value, Error> {
    let numbers = args.rest.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    let (start, stop, step) = match numbers.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] => (*start, *stop, *step),
        _ => return Err(wrong(format!("range expected 1 to 3 arguments, got {}", numbers.len()))),
    };
    if step == 0 {
        return Err(wrong("range() arg 3 must not be zero"));
    }
    let distance = if step > 0 { stop.checked_sub(start) } else { start.checked_sub(stop) };
    let length = distance.map(|distance| {
        let step = step.saturating_abs();
        distance.max(0) / step + i128::from(distance > 0 && distance % step != 0)
    });
    let length = length.filter(|length| *length <= LONGEST_RANGE);
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or_else(|| {
        wrong(format!("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({LONGEST_RANGE})."))
    })?;
    Ok(Value::from_object(Range { start, stop, step, length }))
}

impl Range {
    fn at(&self, index: usize) -> Option<Value> {
        let index = i128::try_from(index).ok()?;
        Some(super::number_text::int(self.start.checked_add(self.step.checked_mul(index)?)?))
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "range({}, {}", self.start, self.stop)?;
        if self.step == 1 { f.write_str(")") } else { write!(f, ", {})", self.step) }
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_i64()?;
        let length = i64::try_from(self.length).ok()?;
        let index = usize::try_from(if index < 0 { index + length } else { index }).ok()?;
        self.at(index).filter(|_| index < self.length)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let this = Arc::clone(self);
        Enumerator::Iter(Box::new((0..self.length).map(move |index| this.at(index).unwrap_or_default())))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.length)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<std::cmp::Ordering> {
        // Ranges are equal if their numbers are.
        let other: &Self = other.downcast_ref()?;
        let ends =
            |range: &Self| (range.length, range.at(0), range.length.checked_sub(1).and_then(|last| range.at(last)));
        if self.length == 0 && other.length == 0 || ends(self) == ends(other) {
            return Some(std::cmp::Ordering::Equal);
        }
        by_place(self.as_ref(), Some(other))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Gives its items in turn, for ever.
struct Cycler {
    items: Vec<Value>,
    next: AtomicUsize,
}

fn cycler(args: &Args) -> Result<Value, Error> {
    if args.rest.is_empty() {
        return Err(wrong("at least one item has to be provided"));
    }
    Ok(Value::from_object(Cycler { items: args.rest.clone(), next: AtomicUsize::new(0) }))
}

impl fmt::Debug for Cycler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<jinja2.utils.Cycler object at 0x7f0000000000>")
    }
}

impl Drop for Cycler {
    fn drop(&mut self) {
        release(std::mem::take(&mut self.items));
    }
}

impl Cycler {
    fn current(&self) -> Value {
        let next = self.next.load(Ordering::Relaxed);
        self.items.get(next % self.items.len().max(1)).cloned().unwrap_or_default()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.current())
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "next" => {
                Args::bind("next", "", args)?;
                let current = self.current();
                self.next.fetch_add(1, Ordering::Relaxed);
                Ok(current)
            }
            "reset" => {
                Args::bind("reset", "", args)?;
                self.next.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Gives nothing the first time it is called, then what stands between things.
struct Joiner {
    separator: Value,
    is_used: AtomicBool,
}

impl fmt::Debug for Joiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<jinja2.utils.Joiner object at 0x7f0000000000>")
    }
}

impl Drop for Joiner {
    fn drop(&mut self) {
        release(vec![std::mem::take(&mut self.separator)]);
    }
}

fn joiner(separator: Option<&Value>) -> Value {
    let separator = separator.cloned().unwrap_or(Value::from(", "));
    Value::from_object(Joiner { separator, is_used: AtomicBool::new(false) })
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        Args::bind("joiner", "", args)?;
        Ok(if self.is_used.swap(true, Ordering::Relaxed) { self.separator.clone() } else { Value::from("") })
    }
}

/// Filler text. Which words it is made of is left to chance in Jinja, too.
fn lipsum(args: &Args) -> Result<Value, Error> {
    let words = ["lorem", "ipsum", "dolor", "sit", "amet", "elit", "sed", "ante", "nunc", "justo", "quis", "erat"];
    let (count, least) = (args.size("n", 5)?, args.size("min", 20)?);
    let most = args.size("max", 100)?;
    if most <= least || count.saturating_mul(most) > 1 << 20 {
        return Err(wrong("empty range for randrange()"));
    }
    let mut random = chance();
    let mut paragraph = || {
        let length = random.random_range(least..most);
        let mut word = || words.get(random.random_range(0..words.len())).copied().unwrap_or_default();
        capitalized(&(0..length).map(|_| word()).collect::<Vec<_>>().join(" ")) + "."
    };
    let paragraphs: Vec<String> = (0..count).map(|_| paragraph()).collect();
    if args.bool("html", true)? {
        let tagged: Vec<String> = paragraphs.iter().map(|text| format!("<p>{text}</p>")).collect();
        return Ok(Value::from_safe_string(tagged.join("\n")));
    }
    Ok(Value::from(paragraphs.join("\n\n")))
}

fn ifelse(args: &Args) -> Result<Value, Error> {
    match args.rest.as_slice() {
        rest if rest.len().is_multiple_of(2) => Err(wrong("The ifelse function must have an odd number of arguments!")),
        [only] => Ok(only.clone()),
        _ => Err(Error::new(ErrorKind::UnknownFunction, "upshift does not have the function `ifelse` outside `salt`")),
    }
}

/// What a template knows by name.
fn show_full_context(state: &mut State<'_, '_>) -> Value {
    let names: Vec<String> = state.known_variables().iter().map(|name| name.clone().into_owned()).collect();
    dict(names.iter().filter_map(|name| Some((Value::from(name.as_str()), state.lookup(name)?))))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn globals_are_those_of_jinja_and_salt() {
        assert_shown(&[
            ("{{ range(1, 10, 3) }}", Some("range(1, 10, 3)")),
            ("{{ range(5, 0, -2)|list }}", Some("[5, 3, 1]")),
            ("{{ range(200000) }}", None),
            ("{{ range(1, 2, 0) }}", None),
            ("{{ dict([('a', 1)], b=2) }}", Some("{'a': 1, 'b': 2}")),
            ("{{ odict([('a', 1)])|string }}", Some("OrderedDict([('a', 1)])")),
            ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", Some("abab")),
            ("{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j() }}", Some("a|b|")),
            ("{{ raise('no') }}", None),
            ("{% set n = namespace([('a', 1)], b=2) %}{{ n }}{{ n == n }}", Some("<Namespace {'a': 1, 'b': 2}>True")),
            ("{{ namespace(a=1)|list }}", None),
            ("{{ namespace(a=1).b }}", None),
            ("{{ namespace(1) }}", None),
        ]);
    }
}
