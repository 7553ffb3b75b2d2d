//! `test.*`: states that only say something.

use crate::formula::Data;
use crate::states::returns::{dict, old_new};
use crate::states::{Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("test.nop", |_| Ok(Return::unchanged("Success!"))).takes_anything(),
    Function::new("test.succeed_without_changes", |call| comment(call, "Success!").map(Return::unchanged))
        .takes(&["comment"])
        .takes_anything(),
    Function::new("test.fail_without_changes", |call| Err(comment(call, "Failure!")?.into()))
        .takes(&["comment"])
        .takes_anything(),
    Function::new("test.succeed_with_changes", |call| {
        let comment = comment(call, "Success!")?;
        Ok(if call.preview { Return::would(pretended(), comment) } else { Return::changed(pretended(), comment) })
    })
    .takes(&["comment"])
    .takes_anything()
    .watches(watch),
];

/// What the states say that pretend to have changed something.
fn pretended() -> crate::formula::Dict {
    dict([("testing", old_new("Unchanged", "Something pretended to change"))])
}

fn comment(call: &Call<'_>, otherwise: &str) -> Result<String, Failed> {
    Ok(call.args.text("comment")?.unwrap_or_else(|| otherwise.to_owned()))
}

fn watch(_: &Call<'_>) -> Result<Return, Failed> {
    let changes = dict([("Requisites with changes", Data::from(Vec::new()))]);
    Ok(Return::changed(changes, "Watch statement fired."))
}
