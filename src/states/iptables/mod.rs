//! `iptables.*`: rules, chains and policies of the kernel, and the file that brings them back after a boot.

mod kernel;
mod rule;

use kernel::Tables;

use crate::formula::{Data, Dict};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("iptables.append", append).requires(&["chain"]).takes_anything().checks(check),
    Function::new("iptables.chain_absent", chain_absent).takes(&["table", "family"]),
    Function::new("iptables.chain_present", chain_present).takes(&["table", "family"]),
    Function::new("iptables.delete", delete).requires(&["chain"]).takes_anything().checks(check),
    Function::new("iptables.flush", flush).takes(&["table", "family", "chain"]),
    Function::new("iptables.insert", insert).requires(&["chain", "position"]).takes_anything().checks(check),
    Function::new("iptables.set_policy", set_policy).requires(&["chain", "policy"]).takes(&["table", "family", "save"]),
];

/// A rule that a state is about, and what comments call it.
struct Wanted {
    chain: String,
    rule: String,
    /// The whole command line, as Salt would run it.
    command: String,
}

fn check(args: &Args<'_>) -> Result<(), String> {
    match args.get("rules") {
        Some(_) => Err("upshift has no `rules` of iptables".into()),
        None => rule::build(args).map(drop),
    }
}

fn append(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, tables) = (call.args.name()?, Tables::of(call)?);
    let (family, wanted) = (tables.family(), Wanted::read(call, &tables, 'A')?);
    let Wanted { chain, rule, command } = &wanted;
    if tables.has_rule(chain, rule)? {
        let said = format!("iptables rule for {name} already set ({command}) for {family}");
        return already_set(call, &tables, &name, command, said);
    }
    if call.preview {
        return Ok(would(format!("iptables rule for {name} needs to be set ({command}) for {family}")));
    }
    tables.change(&["-A", chain], rule).map_err(|why| {
        format!("Failed to set iptables rule for {name}.\nAttempted rule was {command} for {family} ({why})")
    })?;
    set(call, &tables, &name, command)
}

fn insert(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, tables) = (call.args.name()?, Tables::of(call)?);
    let (family, wanted) = (tables.family(), Wanted::read(call, &tables, 'I')?);
    let Wanted { chain, rule, command } = &wanted;
    if tables.has_rule(chain, rule)? {
        let said = format!("iptables rule for {name} already set for {family} ({command})");
        return already_set(call, &tables, &name, command, said);
    }
    if call.preview {
        return Ok(would(format!("iptables rule for {name} needs to be set for {family} ({command})")));
    }
    let position = match call.args.number("position")? {
        // Counted from the end.
        Some(back) if back < 0 => (i64::try_from(tables.rules(chain)?).unwrap_or(0) + back + 1).max(1),
        position => position.unwrap_or(1),
    };
    tables
        .change(&["-I", chain, &position.to_string()], rule)
        .map_err(|why| format!("Failed to set iptables rule for {name}.\nAttempted rule was {command} ({why})"))?;
    set(call, &tables, &name, command)
}

fn delete(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, tables) = (call.args.name()?, Tables::of(call)?);
    let (family, wanted) = (tables.family(), Wanted::read(call, &tables, 'D')?);
    let Wanted { chain, rule, command } = &wanted;
    let position = call.args.number("position")?;
    if position.is_none() && !tables.has_rule(chain, rule)? {
        return Ok(Return::unchanged(format!("iptables rule for {name} already absent for {family} ({command})")));
    }
    if call.preview {
        return Ok(would(format!("iptables rule for {name} needs to be deleted for {family} ({command})")));
    }
    let gone = match position {
        Some(position) => tables.change(&["-D", chain, &position.to_string()], ""),
        None => tables.change(&["-D", chain], rule),
    };
    let failed = format!("Failed to delete iptables rule for {name}.\nAttempted rule was {command}");
    gone.map_err(|why| format!("{failed} ({why})"))?;
    let changes = changed(&name);
    let said = match save(call, &tables).map_err(|failed| failed.after(changes.clone()))? {
        None => format!("Delete iptables rule for {name} {command}"),
        Some(saved) => format!("Deleted and saved iptables rule {name} for {family}\n{command}\n{saved}"),
    };
    Ok(Return::changed(changes, said))
}

fn set_policy(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, tables) = (call.args.name()?, Tables::of(call)?);
    let (chain, policy) = (call.args.required("chain")?, call.args.required("policy")?);
    let (family, table) = (tables.family(), tables.table());
    let which = format!("iptables default policy for chain {chain} on table {table} for {family}");
    if tables.policy(&chain)?.as_ref() == Some(&policy) {
        return Ok(Return::unchanged(format!("{which} already set to {policy}")));
    }
    if call.preview {
        return Ok(would(format!("{which} needs to be set to {policy}")));
    }
    let set = tables.change(&["-P", &chain, &policy], "");
    set.map_err(|why| format!("Failed to set iptables default policy ({why})"))?;
    let changes = changed(&name);
    let said = match save(call, &tables).map_err(|failed| failed.after(changes.clone()))? {
        None => format!("Set default policy for {chain} to {policy} family {family}"),
        Some(_) => format!("Set and saved default policy for {chain} to {policy} family {family}"),
    };
    Ok(Return::changed(changes, said))
}

fn flush(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, tables) = (call.args.name()?, Tables::of(call)?);
    let (family, table) = (tables.family(), tables.table());
    let chain = call.args.text("chain")?.unwrap_or_default();
    if call.preview {
        return Ok(would(format!("iptables rules in {name} table {table} chain {family} family needs to be flushed")));
    }
    let words = ["-F", &chain];
    let words = if chain.is_empty() { &words[..1] } else { &words[..] };
    tables.change(words, "").map_err(|why| format!("Failed to flush iptables rules ({why})"))?;
    let said = format!("Flush iptables rules in {table} table {chain} chain {family} family");
    Ok(Return::changed(changed(&name), said))
}

fn chain_present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, tables) = (call.args.name()?, Tables::of(call)?);
    let (family, table) = (tables.family(), tables.table());
    let which = format!("iptables {name} chain");
    if tables.policy(&name)?.is_some() {
        return Ok(Return::unchanged(format!("{which} is already exist in {table} table for {family}")));
    }
    if call.preview {
        return Ok(would(format!("{which} in {table} table needs to be set for {family}")));
    }
    let created = tables.change(&["-N", &name], "");
    created.map_err(|why| format!("Failed to create {name} chain in {table} table: {why} for {family}"))?;
    Ok(Return::changed(changed(&name), format!("{which} in {table} table create success for {family}")))
}

fn chain_absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, tables) = (call.args.name()?, Tables::of(call)?);
    let (family, table) = (tables.family(), tables.table());
    let which = format!("iptables {name} chain");
    if tables.policy(&name)?.is_none() {
        return Ok(Return::unchanged(format!("{which} is already absent in {table} table for {family}")));
    }
    if call.preview {
        return Ok(would(format!("{which} in {table} table needs to be removed {family}")));
    }
    let flushed = tables.change(&["-F", &name], "");
    flushed.map_err(|why| format!("Failed to flush {name} chain in {table} table: {why} for {family}"))?;
    let deleted = tables.change(&["-X", &name], "");
    deleted.map_err(|why| format!("Failed to delete {name} chain in {table} table: {why} for {family}"))?;
    Ok(Return::changed(changed(&name), format!("{which} in {table} table delete success for {family}")))
}

/// A rule is there; the file may not have it yet.
fn already_set(
    call: &Call<'_>,
    tables: &Tables<'_>,
    name: &str,
    command: &str,
    said: String,
) -> Result<Return, Failed> {
    let file = file(call, tables)?;
    if call.preview || file.is_none_or(|file| tables.is_saved(&file).unwrap_or(false)) {
        return Ok(Return::unchanged(said));
    }
    let saved = save(call, tables)?.unwrap_or_default();
    let family = tables.family();
    Ok(Return::unchanged(format!("{said}\nSaved iptables rule {name} for {family}\n{command}\n{saved}")))
}

/// A rule was set; it is saved if the state wants it.
fn set(call: &Call<'_>, tables: &Tables<'_>, name: &str, command: &str) -> Result<Return, Failed> {
    let (family, changes) = (tables.family(), changed(name));
    let said = match save(call, tables).map_err(|failed| failed.after(changes.clone()))? {
        None => format!("Set iptables rule for {name} to: {command} for {family}"),
        Some(saved) => format!("Set and saved iptables rule {name} for {family}\n{command}\n{saved}"),
    };
    Ok(Return::changed(changes, said))
}

fn changed(name: &str) -> Dict {
    dict([("locale", name.into())])
}

fn would(comment: String) -> Return {
    Return::would(Dict::default(), comment)
}

/// Where to save, if the state wants it.
fn file(call: &Call<'_>, tables: &Tables<'_>) -> Result<Option<String>, Failed> {
    match call.args.get("save") {
        Some(Data::Bool(true)) => tables.default_file().map(Some),
        Some(file) if file.is_true() => call.args.text("save"),
        _ => Ok(None),
    }
}

fn save(call: &Call<'_>, tables: &Tables<'_>) -> Result<Option<String>, Failed> {
    file(call, tables)?.map(|file| tables.save(&file)).transpose()
}

impl Wanted {
    fn read(call: &Call<'_>, tables: &Tables<'_>, letter: char) -> Result<Self, Failed> {
        let (chain, rule) = (call.args.required("chain")?, rule::build(&call.args)?);
        let (program, table) = (tables.program(), tables.table());
        let position = call.args.text("position")?.unwrap_or_default();
        let command = format!("{program} --wait -t {table} -{letter} {chain} {position} {rule}");
        Ok(Self { chain, rule, command: command.trim().to_owned() })
    }
}
