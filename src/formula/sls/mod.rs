//! SLS data to high state to low state, as Salt 3007's `state.py` does it: the same chunks, in the same order, with
//! the same arguments.
//!
//! [`high_state`] renders what is asked for with all it includes and merges it; [`low_state`] extends, moves
//! requisites to where they act, excludes, and puts the chunks in order. [`check`] then refuses what Salt would
//! find out only while it runs: requisites that nothing meets, and cycles of them.

mod check;
mod declare;
mod entries;
mod extend;
mod gather;
mod heap;
mod low;
mod names;
mod requisite_in;
#[cfg(test)]
mod table;
mod targets;
mod verify;

use std::collections::HashMap;

use super::{Data, Dict, Result};

pub use check::{check, target};
pub use gather::Files;
pub use targets::Targets;

/// One SLS as its renderer left it.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// What it says. One list or mapping that comes twice, by a YAML anchor, must be one object.
    pub data: Data,
    /// Whether it was found as `…/init.sls`, which relative includes count as a level.
    pub is_init: bool,
    /// Its path within the file roots, for errors.
    pub path: String,
    /// The line of every top-level key, as far as they are known, for errors.
    pub lines: HashMap<String, usize>,
}

/// Where SLS come from: the compiler, or a table in tests.
pub trait Source {
    /// The names of all SLS of an environment (`nova.compute`), sorted; `None` if there is no such environment.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn available(&self, saltenv: &str) -> Result<Option<&[String]>>;

    /// Whether one is among them.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn has(&self, saltenv: &str, sls: &str) -> Result<bool>;

    /// Renders one SLS; `None` if there is no file for it.
    ///
    /// This is asked for names too that are not available: `nova/compute` or, from an include of `.`, `nova.`. As in
    /// Salt each `.` of a name becomes a `/`, then `.sls` or `/init.sls` is added.
    ///
    /// # Errors
    /// When the file cannot be rendered.
    fn render(&mut self, saltenv: &str, sls: &str) -> Result<Option<Rendered>>;
}

/// The minion options that decide what becomes of SLS.
#[derive(Debug, Clone)]
pub struct Options {
    /// `state_auto_order`: whether states are numbered in the order in which they are defined.
    pub auto_order: bool,
    /// `disabled_requisites`: the kinds of requisites that act on nothing.
    pub disabled_requisites: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { auto_order: true, disabled_requisites: Vec::new() }
    }
}

/// All IDs of a host, merged, before anything acts on anything.
#[derive(Debug)]
pub struct High {
    heap: heap::Heap,
    root: heap::Ref,
    files: Files,
    options: Options,
}

/// What a host is to do.
#[derive(Debug, Clone, Default)]
pub struct Low {
    /// One state each, in the order in which they run when no requisite says otherwise.
    pub chunks: Vec<Dict>,
    /// The SLS they come from.
    pub files: Files,
}

/// Renders and merges the SLS that a host is to have: names or patterns, by environment.
///
/// An error names the SLS and the ID, and every SLS that leads there by an `include`.
///
/// # Errors
/// When an SLS is missing, cannot be rendered, or has a shape that Salt refuses.
pub fn high_state(source: &mut dyn Source, tops: &[(String, Vec<String>)], options: Options) -> Result<High> {
    let mut gather = gather::Gather::new(source, tops, options.auto_order);
    let root = gather.all()?;
    Ok(High { heap: gather.heap, root, files: gather.files, options })
}

/// Makes the chunks of a high state, with all that Salt 3007 refuses before it runs anything refused.
///
/// # Errors
/// When what is declared cannot be, as Salt says it.
pub fn low_state(mut high: High) -> Result<Low> {
    let extensions = extend::take(&mut high)?;
    extend::apply(&mut high, &extensions, &mut names::Names::default(), false)?;
    verify::verify(&high)?;
    requisite_in::apply(&mut high)?;
    low::exclude(&mut high)?;
    let mut chunks = low::compile(&high)?;
    low::order(&mut chunks)?;
    Ok(Low { chunks, files: high.files })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::table::Table;
    use super::*;

    /// `state.fun name` of every chunk, in order.
    fn names(low: &Low) -> Vec<String> {
        let text = |chunk: &Dict, key| chunk.get(key).and_then(Data::as_str).unwrap_or_default().to_owned();
        low.chunks
            .iter()
            .map(|low| format!("{}.{} {}", text(low, "state"), text(low, "fun"), text(low, "name")))
            .collect()
    }

    fn argument(low: &Low, chunk: usize, key: &str) -> Value {
        serde_json::to_value(low.chunks[chunk].get(key).unwrap()).unwrap()
    }

    #[test]
    fn what_is_included_comes_first_and_knows_what_included_it() {
        let mut table = Table::of(&[
            ("a", &[("a1", json!({"cmd.run": []})), ("include", json!(["b", "c"]))]),
            ("b", &[("include", json!(["d"])), ("b1", json!("cmd.run"))]),
            ("c", &[("include", json!(["d", "a"])), ("c1", json!({"cmd": ["run"]}))]),
            ("d", &[("d1", json!({"cmd.run": []}))]),
        ]);
        let low = table.low(&["a"]).unwrap();
        assert_eq!(names(&low), ["cmd.run d1", "cmd.run b1", "cmd.run c1", "cmd.run a1"]);
        assert_eq!(argument(&low, 0, "__sls_included_from__"), json!(["b", "a"]));
        assert_eq!(argument(&low, 3, "order"), json!(10003));
    }

    #[test]
    fn names_make_chunks_with_arguments_of_their_own() {
        let names_ = json!([{"names": ["/a", {"/b": [{"mode": 644}]}, "/a"]}, {"mode": 600}]);
        let low = Table::of(&[("a", &[("x", json!({ "file.managed": names_ }))])]).low(&["a"]).unwrap();
        assert_eq!(names(&low), ["file.managed /a", "file.managed /b"]);
        assert_eq!((argument(&low, 0, "mode"), argument(&low, 1, "mode")), (json!(600), json!(644)));
        assert_eq!(argument(&low, 1, "order"), json!(10000.0002));
    }

    #[test]
    fn orders_are_numbers_first_last_and_from_the_end() {
        let id = |order: Value| json!({"cmd.run": [{ "order": order }]});
        let ids = [
            ("last", id(json!("last"))),
            ("end", id(json!(-1))),
            ("five", id(json!(5))),
            ("first", id(json!("first"))),
            ("word", id(json!("x"))),
            ("plain", json!("cmd.run")),
        ];
        let low = Table::of(&[("a", &ids)]).low(&["a"]).unwrap();
        let order: Vec<_> =
            low.chunks.iter().map(|low| (low.get("name").unwrap(), low.get("order").unwrap())).collect();
        let expected =
            [("first", 0), ("five", 5), ("plain", 10000), ("word", 10100), ("end", 1_010_099), ("last", 1_010_100)];
        let expected = expected.map(|(name, order)| (Data::from(name), Data::Int(order)));
        assert!(order.into_iter().eq(expected.iter().map(|(name, order)| (name, order))));
    }

    #[test]
    fn options_leave_numbers_and_requisites_out() {
        let ids = [("z", json!({"cmd.run": [{"require_in": [{"cmd": "a"}]}]})), ("a", json!("cmd.run"))];
        let mut table = Table::of(&[("a", &ids)]);
        table.options = Options { auto_order: false, disabled_requisites: vec!["require_in".to_owned()] };
        let low = table.low(&["a"]).unwrap();
        assert_eq!(names(&low), ["cmd.run a", "cmd.run z"]);
        assert_eq!((low.chunks[0].get("require"), argument(&low, 0, "order")), (None, json!(1)));
    }

    #[test]
    fn an_extension_joins_requisites_and_replaces_the_rest() {
        let extension = json!({"y": {"file": ["absent", {"mode": 7}, {"require": [{"pkg": "x"}]}]}});
        let mut table = Table::of(&[
            ("a", &[("include", json!(["b"])), ("extend", extension), ("x", json!("pkg.installed"))]),
            (
                "b",
                &[
                    ("y", json!({"file.managed": [{"mode": 1}, {"require": [{"pkg": "q"}]}]})),
                    ("q", json!("pkg.latest")),
                ],
            ),
        ]);
        let low = table.low(&["a"]).unwrap();
        assert_eq!(names(&low), ["file.absent y", "pkg.latest q", "pkg.installed x"]);
        assert_eq!(argument(&low, 0, "mode"), json!(7));
        assert_eq!(argument(&low, 0, "require"), json!([{"pkg": "q"}, {"pkg": "x"}]));
    }

    #[test]
    fn a_target_acts_once_more_with_every_item_after_it() {
        let require_in = json!({"pkg.installed": [{"require_in": [{"file": "y"}, {"cmd": "/z"}]}]});
        let ids = [("x", require_in), ("y", json!("file.managed")), ("z", json!({"cmd.run": [{"name": "/z"}]}))];
        let low = Table::of(&[("a", &ids)]).low(&["a"]).unwrap();
        assert_eq!(argument(&low, 1, "require"), json!([{"pkg": "x"}, {"pkg": "x"}]));
        assert_eq!(argument(&low, 2, "require"), json!([{"pkg": "x"}]));
    }

    #[test]
    fn what_two_ids_share_changes_for_both() {
        let shared = Data::from(vec![Data::from(json!({"pkg": "p"}))]);
        let id = || {
            let mut requirement = Dict::ordered();
            requirement.insert("require", shared.clone());
            let mut body = Dict::ordered();
            body.insert("file.managed", vec![Data::from(requirement)]);
            Data::from(body)
        };
        let mut sls = Dict::ordered();
        sls.insert("x", id());
        sls.insert("y", id());
        sls.insert("q", json!({"cmd.run": [{"require_in": [{"file": "x"}]}]}));
        let mut table = Table::of(&[]);
        table.put("a", sls.into());
        let low = table.low(&["a"]).unwrap();
        assert_eq!(argument(&low, 1, "require"), json!([{"pkg": "p"}, {"cmd": "q"}]));
    }

    #[test]
    fn excluded_ids_and_sls_are_left_out() {
        let exclude = json!([{"sls": "b.*"}, {"id": "y"}]);
        let ids = [("include", json!(["b.c"])), ("exclude", exclude), ("x", json!("cmd.run")), ("y", json!("cmd.run"))];
        let mut table = Table::of(&[("a", &ids), ("b.c", &[("z", json!("cmd.run"))])]);
        assert_eq!(names(&table.low(&["a"]).unwrap()), ["cmd.run x"]);
    }

    #[test]
    fn refusals_name_the_place() {
        let cases: [(&str, Value, &str); 6] = [
            ("x", json!({"cmd.run": null}), "a.sls:1: `cmd.run` of ID `x` is empty, and must be a list of arguments"),
            (
                "x",
                json!({"cmd.run": ["wait"]}),
                "a.sls:1: `cmd` of ID `x` names 2 functions, and must name one: wait, run",
            ),
            ("x", json!({"cmd": []}), "a.sls:1: `cmd` of ID `x` names no function"),
            ("x", json!([]), "a.sls:1: ID `x` is a list, and must be a mapping of states (or `module.function`)"),
            ("include", json!(["b"]), "a.sls:1: there is no SLS `b` in saltenv `base`"),
            ("extend", json!({"q": {"cmd": []}}), "a.sls:1: there is no `cmd: q` to add arguments to"),
        ];
        for (id, body, refusal) in cases {
            assert_eq!(Table::of(&[("a", &[(id, body)])]).refusal(&["a"]), refusal);
        }
    }

    #[test]
    fn an_id_in_two_sls_is_refused_with_both_places() {
        let mut table = Table::of(&[("a", &[("x", json!("cmd.run"))]), ("b", &[("x", json!("cmd.run"))])]);
        let refusal = "b.sls:1: ID `x` is in SLS `a` and in SLS `b`, and an ID may be in one only\n  from a.sls:1";
        assert_eq!(table.refusal(&["a", "b"]), refusal);
    }
}
