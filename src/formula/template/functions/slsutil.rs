//! `slsutil.*`: merging, and small things for SLS files.

use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::{Strategy, assign, dict, items, merge as merge_values, update};
use super::arguments::Default::{Bool, Int, None, Required, Text};
use super::arguments::{Arguments, Signature, defined, takes, wrong};
use super::{Function, plain};

const UPDATE: Signature =
    takes(&[("dest", Required), ("upd", Required), ("recursive_update", Bool(true)), ("merge_lists", Bool(false))]);
const MERGE: Signature = takes(&[
    ("obj_a", Required),
    ("obj_b", Required),
    ("strategy", Text("smart")),
    ("renderer", Text("yaml")),
    ("merge_lists", Bool(false)),
]);
const MERGE_ALL: Signature =
    takes(&[("lst", Required), ("strategy", Text("smart")), ("renderer", Text("yaml")), ("merge_lists", Bool(false))]);
const BANNER: Signature = takes(&[
    ("width", Int(72)),
    ("commentchar", Text("#")),
    ("borderchar", Text("#")),
    ("blockstart", None),
    ("blockend", None),
    ("title", None),
    ("text", None),
    ("newline", Bool(false)),
]);

const TITLE: &str = "THIS FILE IS MANAGED BY SALT - DO NOT EDIT";
const WARNING: &str = "The contents of this file are managed by Salt. Any changes to this file may be overwritten \
                       automatically and without warning.";

/// The widest banner: a page of it is enough.
const WIDEST: i64 = 10_000;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("slsutil.update", UPDATE, |_, arguments| {
        let (dest, upd) = (defined(arguments.get("dest"))?, defined(arguments.get("upd"))?);
        if arguments.is_true("recursive_update")? {
            update(dest, upd, arguments.is_true("merge_lists")?)?;
        } else {
            assign(dest, upd)?;
        }
        Ok(dest.clone())
    }),
    plain("slsutil.merge", MERGE, |_, arguments| {
        let (base, over) = (defined(arguments.get("obj_a"))?, defined(arguments.get("obj_b"))?);
        merge_values(strategy(arguments)?, base, over, arguments.is_true("merge_lists")?)
    }),
    plain("slsutil.merge_all", MERGE_ALL, |_, arguments| {
        let mut merged = dict([]);
        for over in items(arguments.get("lst"))? {
            merged = merge_values(strategy(arguments)?, &merged, &over, arguments.is_true("merge_lists")?)?;
        }
        Ok(merged)
    }),
    plain(
        "slsutil.boolstr",
        takes(&[("value", Required), ("true", Text("true")), ("false", Text("false"))]),
        |_, arguments| {
            let name = if arguments.is_true("value")? { "true" } else { "false" };
            Ok(arguments.get(name).clone())
        },
    ),
    plain("slsutil.banner", BANNER, banner),
];

fn strategy(arguments: &Arguments) -> Result<Strategy, Error> {
    Ok(Strategy::named(&arguments.text("strategy")?, &arguments.text("renderer")?))
}

fn banner(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let comment = arguments.text("commentchar")?;
    let (left, right) = (comment.trim_end().to_owned() + " ", " ".to_owned() + comment.trim());
    let width = arguments.get("width").as_i64().filter(|width| *width <= WIDEST);
    let width = usize::try_from(width.unwrap_or(0)).unwrap_or(0);
    let gutters = length(&left) + length(&right);
    let Some(room) = width.checked_sub(gutters).filter(|room| *room > 0) else {
        return Err(wrong("Width is too small to render banner"));
    };
    let border: String = arguments.text("borderchar")?.chars().take(1).collect();
    let border = border.repeat(width.saturating_sub(gutters - 2));
    let spacer = format!("{comment}{}{comment}", " ".repeat(width.saturating_sub(2 * length(&comment))));
    let border = format!("{comment}{border}{}", comment.trim());
    let or = |name: &str, otherwise: &str| match arguments.some(name) {
        Some(_) => arguments.text(name),
        Option::None => Ok(otherwise.to_owned()),
    };
    let mut lines = Vec::new();
    if arguments.some("blockstart").is_some() {
        lines.push(arguments.text("blockstart")?);
    }
    lines.extend([border.clone(), spacer.clone()]);
    lines.extend(wrap(&or("title", TITLE)?, room).iter().map(|line| format!("{left}{}{right}", centred(line, room))));
    lines.push(spacer);
    for line in wrap(&or("text", WARNING)?, room) {
        lines.push(format!("{left}{line}{}{right}", " ".repeat(room.saturating_sub(length(&line)))));
    }
    lines.push(border);
    if arguments.some("blockend").is_some() {
        lines.push(arguments.text("blockend")?);
    }
    let end = if arguments.is_true("newline")? { "\n" } else { "" };
    Ok(Value::from(lines.join("\n") + end))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Python's `str.center`: an odd space goes to the left if the width is odd.
fn centred(text: &str, width: usize) -> String {
    let room = width.saturating_sub(length(text));
    let before = room / 2 + (room & width & 1);
    format!("{}{text}{}", " ".repeat(before), " ".repeat(room - before))
}

/// Python's `textwrap`: lines are broken at spaces and after hyphens, and within words that are longer than a line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        for (index, piece) in pieces(word).into_iter().enumerate() {
            let space = if index == 0 && !line.is_empty() { " " } else { "" };
            if !line.is_empty() && length(&line) + space.len() + length(&piece) > width {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push_str(space);
            }
            for character in piece.chars() {
                if length(&line) == width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(character);
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A word in pieces that end after a hyphen between letters.
fn pieces(word: &str) -> Vec<String> {
    let characters: Vec<char> = word.chars().collect();
    let is_letter = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(|c| c.is_alphabetic());
    let mut pieces = vec![String::new()];
    for (at, character) in characters.iter().enumerate() {
        if let Some(piece) = pieces.last_mut() {
            piece.push(*character);
        }
        let is_between = is_letter(at.checked_sub(1)) && is_letter(at.checked_sub(2)) && is_letter(Some(at + 1));
        if *character == '-' && is_between && is_letter(Some(at + 2)) {
            pieces.push(String::new());
        }
    }
    pieces
}
