//! YAML 1.1, read as Salt reads it and written as PyYAML writes it.

mod construct;
mod number;
mod parse;
mod reader;
mod resolve;
mod scan;
mod write;

use super::Data;

/// Why a text is not YAML as Salt reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong, in PyYAML's words where they are known.
    pub message: String,
    /// The line, counted from one.
    pub line: usize,
    /// The column, counted from one.
    pub column: usize,
}

/// Which mappings reading makes, and whose habits it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mappings {
    /// `OrderedDict`, as the renderer of SLS files does.
    Ordered,
    /// `dict`, as `load_yaml` and `import_yaml` do.
    Plain,
    /// `dict`, with all else as in PyYAML without Salt: `0644` is octal, and of a key that comes twice the last is right.
    PyYaml,
}

/// How a text is laid out: PyYAML's keyword arguments.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword argument of its own")]
pub struct Layout {
    /// `default_flow_style`: `true` one line, `false` blocks, `None` flow for what holds scalars alone.
    pub flow: Option<bool>,
    /// `width`.
    pub width: usize,
    /// `indent`.
    pub indent: usize,
    /// Whether the items of a list are indented under their key (Salt's `IndentedSafeOrderedDumper`).
    pub indent_lists: bool,
    /// `allow_unicode`.
    pub allow_unicode: bool,
    /// `default_style`: the quotes around every scalar.
    pub style: Option<char>,
    /// `explicit_start`, the `---` line.
    pub explicit_start: bool,
    /// `explicit_end`, the `...` line.
    pub explicit_end: bool,
    /// `sort_keys`, for plain dictionaries.
    pub sort_keys: bool,
}

impl Default for Layout {
    /// What `salt.utils.yaml.safe_dump` uses when nothing is said.
    fn default() -> Self {
        Self {
            flow: None,
            width: 80,
            indent: 2,
            indent_lists: false,
            allow_unicode: true,
            style: None,
            explicit_start: false,
            explicit_end: false,
            sort_keys: true,
        }
    }
}

/// Reads one document. An empty text is [`Data::None`]; an alias is the same object as what it names.
///
/// # Errors
///
/// Refuses what Salt refuses, and what nests or expands without measure.
pub fn load(text: &str, mappings: Mappings) -> Result<Data, Error> {
    construct::construct(parse::parse(text)?, mappings)
}

/// Writes a value as PyYAML's safe dumper does on libyaml, with its last newline.
#[must_use]
pub fn dump(data: &Data, layout: &Layout) -> String {
    write::dump(data, layout)
}

/// What stands for a value that the dumper does not know: [`dump`] writes it as `NULL`.
#[must_use]
pub fn unknown() -> Data {
    write::unknown()
}

/// A text as a scalar between double quotes, on one line, as PyYAML writes it with `default_style='"'` and no width.
#[must_use]
pub fn double_quoted(text: &str) -> String {
    let layout = Layout { style: Some('"'), width: usize::MAX, ..Layout::default() };
    let mut quoted = dump(&text.into(), &layout);
    quoted.truncate(quoted.trim_end_matches('\n').len());
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        format!("{:?}", load(text, Mappings::Ordered).unwrap())
    }

    fn write(text: &str, flow: Option<bool>) -> String {
        dump(&load(text, Mappings::Plain).unwrap(), &Layout { flow, ..Layout::default() })
    }

    #[test]
    fn scalars_are_what_salt_makes_of_them() {
        let text = "a: 0644\nb: -0644\nc: yes\nd: y\ne: 12:30\nf: 2001-01-01\ng: 1e5\nh: 'no'\ni: ~\nj:\nk: ! '12'\n";
        assert_eq!(
            read(text),
            "{\"a\": 644, \"b\": -420, \"c\": true, \"d\": \"y\", \"e\": 750, \"f\": \"2001-01-01\", \"g\": \"1e5\", \
             \"h\": \"no\", \"i\": None, \"j\": None, \"k\": 12}"
        );
    }

    #[test]
    fn lines_are_joined_as_libyaml_joins_them() {
        let text = "- one\n  two\n\n  three\n- 'it''s\n  so'\n- \"a\\tb\\\n   c\"\n- >\n  x\n  y\n\n  z\n- |+\n  k\n\n";
        assert_eq!(read(text), r#"["one two\nthree", "it's so", "a\tbc", "x y\nz\n", "k\n\n"]"#);
    }

    #[test]
    fn a_colon_without_a_gap_is_part_of_the_text() {
        assert_eq!(read("{a:1, b: c:d, 'e':f}"), r#"{"a:1": None, "b": "c:d", "e": "f"}"#);
        assert_eq!(read("[a: b, ? c]"), r#"[{"a": "b"}, {"c": None}]"#);
    }

    #[test]
    fn documents_may_be_empty_or_begin_with_marks_and_directives() {
        for text in ["", "---\n...\n", "# nothing\n"] {
            assert_eq!(load(text, Mappings::Ordered), Ok(Data::None), "{text:?}");
        }
        assert_eq!(read("\u{feff}a: é\r\nb: 1\r\n"), r#"{"a": "é", "b": 1}"#);
        assert_eq!(read("%TAG !e! tag:yaml.org,2002:\n--- !e!str 1\n"), r#""1""#);
    }

    #[test]
    fn merged_keys_come_first_and_give_way() {
        let text = "a: &a {x: 1, y: 2}\nb:\n  y: 3\n  <<: *a\n";
        assert_eq!(read(text), r#"{"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}"#);
    }

    #[test]
    fn without_salt_zeros_are_octal_and_the_last_key_is_right() {
        let data = load("{a: 0644, b: 1, a: 010}", Mappings::PyYaml).unwrap();
        assert_eq!(format!("{data:?}"), r#"{"a": 8, "b": 1}"#);
    }

    #[test]
    fn an_alias_is_the_same_object() {
        let data = load("[&a [1], *a]", Mappings::Ordered).unwrap();
        let [Data::List(one), Data::List(two)] = data.as_list().unwrap() else { panic!("{data:?}") };
        assert!(std::sync::Arc::ptr_eq(one, two));
    }

    #[test]
    fn refusals_name_the_place_that_salt_names() {
        for (text, line, column, message) in [
            ("a: b: c", 1, 5, "mapping values are not allowed in this context"),
            ("a: {{ b }}: c", 1, 11, "mapping values are not allowed in this context"),
            ("a: 1\na: 2", 2, 1, "found conflicting ID 'a'"),
            ("a: [b", 2, 1, "did not find expected ',' or ']'"),
            ("a: *b", 1, 4, "found undefined alias 'b'"),
            ("a: &x 1\nb: &x 2", 2, 4, "found duplicate anchor 'x'"),
            ("\ta: 1", 1, 1, "found character that cannot start any token"),
            ("a: 'b", 1, 6, "found unexpected end of stream"),
            ("a: !foo b", 1, 4, "could not determine a constructor for the tag '!foo'"),
            ("--- a\n--- b", 2, 1, "expected a single document in the stream"),
            ("key: |\n  a\n b: c\n", 3, 2, "did not find expected key"),
            ("<<: x", 1, 5, "expected a mapping or list of mappings for merging, but found scalar"),
            ("x: {<<: [{a: 1}, {a: 2}]}", 1, 11, "found conflicting ID 'a'"),
            ("? [a]\n: b", 1, 3, "found unacceptable key"),
            ("a: \"\\q\"", 1, 5, "found unknown escape character"),
            ("a: \u{7}", 1, 4, "control characters are not allowed"),
            ("a: &r [*r]", 1, 4, "found unconstructable recursive node"),
        ] {
            let error = load(text, Mappings::Plain).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text:?}: {error:?}");
            assert!(error.message.starts_with(message), "{text:?}: {error:?}");
        }
    }

    #[test]
    fn nothing_nests_or_grows_without_measure() {
        let bomb = |line: fn(usize) -> String| -> String {
            let lines = (1..300).map(line);
            std::iter::once("- &a0 {k0: x}\n".to_owned()).chain(lines).collect()
        };
        let chain = |number| format!("- &a{number} {{<<: *a{}, k{number}: x}}\n", number - 1);
        // Only what stands further out is merged first, and so has to go through all the others.
        let merges = format!("- {}\n- <<: *a299\n", bomb(chain).trim_end().replace('\n', "\n  "));
        let texts = [
            "[".repeat(100_000),
            "- ".repeat(100_000),
            "? ".repeat(100_000),
            bomb(|number| format!("- &a{number} [*a{0}, *a{0}]\n", number - 1)),
            bomb(|number| format!("- &a{number} [*a{}]\n", number - 1)),
            merges,
        ];
        for text in texts {
            let reader = std::thread::Builder::new().stack_size(2 << 20).spawn(move || load(&text, Mappings::Plain));
            assert!(reader.unwrap().join().unwrap().is_err());
        }
    }

    #[test]
    fn blocks_and_flows_are_laid_out_as_pyyaml_does() {
        let text = "{b: 1, a: [1, {x: y}], c: [], d: [[], [{}]]}";
        assert_eq!(write(text, None), "a:\n- 1\n- {x: y}\nb: 1\nc: []\nd:\n- []\n- - {}\n");
        assert_eq!(write(text, Some(false)), "a:\n- 1\n- x: y\nb: 1\nc: []\nd:\n- []\n- - {}\n");
        assert_eq!(write(text, Some(true)), "{a: [1, {x: y}], b: 1, c: [], d: [[], [{}]]}\n");
        let nested = load("[[1, 2], [3, [4]]]", Mappings::Plain).unwrap();
        let layout = Layout { flow: Some(false), indent: 4, ..Layout::default() };
        assert_eq!(dump(&nested, &layout), "-   - 1\n    - 2\n-   - 3\n    -   - 4\n");
    }

    #[test]
    fn only_what_would_read_as_something_else_is_quoted() {
        for (word, written) in [
            ("1", "'1'"),
            ("yes", "'yes'"),
            ("a: b", "'a: b'"),
            ("#c", "'#c'"),
            ("- d", "'- d'"),
            (" e", "' e'"),
            ("it's", "it's"),
            ("'", "''''"),
            ("\t", "\"\\t\""),
            ("é", "é"),
            ("😀", "\"\\U0001F600\""),
            ("2001-01-01", "'2001-01-01'"),
            ("a\nb", "'a\n\n  b'"),
            ("k:", "'k:'"),
            ("=", "'='"),
            ("x y", "x y"),
        ] {
            assert_eq!(dump(&word.into(), &Layout::default()), format!("{written}\n"), "{word:?}");
        }
        assert_eq!(dump(&vec!["".into(), "a,b".into()].into(), &Layout::default()), "['', 'a,b']\n");
    }

    #[test]
    fn long_lines_are_folded_where_libyaml_folds_them() {
        let words = "word ".repeat(25);
        let folded = "t: word word word word word word word word word word word word word word word word\n  \
                      word word word word word word word word word\n";
        assert_eq!(write(&format!("t: {words}"), Some(false)), folded);
        let items: Vec<_> = (0..12).map(|number| format!("item{number:03}")).collect();
        let wrapped = "[item000, item001, item002, item003, item004, item005, item006, item007, item008,\n  \
                       item009, item010, item011]\n";
        assert_eq!(write(&format!("[{}]", items.join(", ")), Some(true)), wrapped);
    }

    #[test]
    fn what_comes_twice_is_named_and_long_keys_are_announced() {
        assert_eq!(write("{a: &x [1], b: *x, c: [*x]}", Some(false)), "a: &id001\n- 1\nb: *id001\nc:\n- *id001\n");
        let long = "k".repeat(129);
        assert_eq!(write(&format!("? {long}\n: 1\n"), Some(false)), format!("? {long}\n: 1\n"));
    }

    #[test]
    fn numbers_read_back_as_numbers() {
        let floats = [1.0, 1e20, 1e-7, f64::INFINITY, f64::NAN].map(Data::Float);
        assert_eq!(dump(&floats.to_vec().into(), &Layout::default()), "[1.0, 1.0e+20, 1.0e-07, .inf, .nan]\n");
        let quoted = Layout { style: Some('"'), ..Layout::default() };
        assert_eq!(dump(&vec![Data::Int(1), "x".into()].into(), &quoted), "- ! \"1\"\n- \"x\"\n");
    }

    #[test]
    fn documents_have_their_marks_when_they_are_asked_for() {
        let layout = Layout { explicit_start: true, explicit_end: true, ..Layout::default() };
        assert_eq!(dump(&"x".into(), &layout), "--- x\n...\n");
        let literal = Layout { style: Some('|'), ..Layout::default() };
        assert_eq!(dump(&"a\n b\n\n".into(), &literal), "|+\n  a\n   b\n\n...\n");
        assert_eq!(double_quoted("a\n\"é\"\t"), r#""a\n\"é\"\t""#);
    }
}
