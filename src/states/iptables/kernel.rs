//! What the kernel has, by way of `iptables` and `iptables-save`.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use regex::Regex;

use crate::formula::Data;
use crate::states::disk::{Attributes, create_folder, replace};
use crate::states::{Call, Command, Failed, Host};

/// One table of one family of protocols.
pub(super) struct Tables<'a> {
    host: &'a Host<'a>,
    family: String,
    table: String,
    program: String,
}

/// Where programs of an administrator are, which need not be in the path.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

impl<'a> Tables<'a> {
    /// What a state is about.
    pub(super) fn of(call: &Call<'a>) -> Result<Self, Failed> {
        let family = call.args.text("family")?.unwrap_or_else(|| "ipv4".into());
        let name = if family == "ipv6" { "ip6tables" } else { "iptables" };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).filter_map(|folder| Utf8PathBuf::from_path_buf(folder).ok());
        let mut files = folders.chain(FOLDERS.map(Utf8PathBuf::from)).map(|folder| folder.join(name));
        let program = files.find(|file| file.is_file()).ok_or_else(|| format!("the host has no `{name}`"))?;
        let table = call.args.text("table")?.unwrap_or_else(|| "filter".into());
        Ok(Self { host: call.host, family, table, program: program.into_string() })
    }

    pub(super) fn family(&self) -> &str {
        &self.family
    }

    pub(super) fn table(&self) -> &str {
        &self.table
    }

    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Whether a chain has a rule.
    pub(super) fn has_rule(&self, chain: &str, rule: &str) -> Result<bool, Failed> {
        Ok(self.host.run(self.command(&["-C", chain], rule)?)?.is_success())
    }

    /// Changes something.
    pub(super) fn change(&self, words: &[&str], rule: &str) -> Result<(), String> {
        let command = self.command(words, rule).map_err(|failed| failed.comment)?;
        let output = self.host.run(command).map_err(|failed| failed.comment)?;
        // The last line says where help is.
        let why = || output.stderr.lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
        if output.is_success() { Ok(()) } else { Err(why().unwrap_or_else(|| output.why())) }
    }

    fn command(&self, words: &[&str], rule: &str) -> Result<Command, Failed> {
        let rule = shlex::split(rule).ok_or_else(|| format!("quotes do not match in the rule `{rule}`"))?;
        let words = ["--wait", "-t", &self.table].into_iter().chain(words.iter().copied());
        let words = words.map(str::to_owned).chain(rule);
        Ok(Command::new(&self.program, words).quiet())
    }

    /// The policy of a chain, which is `-` for one that the kernel does not begin with; `None` if there is no such chain.
    pub(super) fn policy(&self, chain: &str) -> Result<Option<String>, Failed> {
        let lines = self.dump(Some(&self.table))?;
        let words = lines.lines().filter_map(|line| line.strip_prefix(':')).map(|line| line.split_whitespace());
        let mut chains = words.filter_map(|mut words| Some((words.next()?, words.next()?)));
        Ok(chains.find(|(name, _)| *name == chain).map(|(_, policy)| policy.to_owned()))
    }

    /// How many rules a chain has.
    pub(super) fn rules(&self, chain: &str) -> Result<usize, Failed> {
        let start = format!("-A {chain} ");
        Ok(self.dump(Some(&self.table))?.lines().filter(|line| line.starts_with(&start)).count())
    }

    /// The file that brings all of it back after a boot, where that is known.
    pub(super) fn default_file(&self) -> Result<String, Failed> {
        let grain = |name: &str| self.host.formula.config(name).and_then(|value| value.as_str().map(str::to_owned));
        let family = grain("os_family").unwrap_or_else(|| "Debian".into());
        let is_six = self.family == "ipv6";
        match family.as_str() {
            "Debian" => Ok(if is_six { "/etc/iptables/rules.v6" } else { "/etc/iptables/rules.v4" }.into()),
            "RedHat" => Ok(if is_six { "/etc/sysconfig/ip6tables" } else { "/etc/sysconfig/iptables" }.into()),
            other => Err(format!("upshift does not know where {other} keeps the rules of iptables").into()),
        }
    }

    /// Whether a file has the rules that the kernel has.
    pub(super) fn is_saved(&self, file: &str) -> Result<bool, Failed> {
        let saved = fs::read_to_string(file)?;
        Ok(rules(&saved) == rules(&self.filtered(self.dump(None)?)))
    }

    /// Saves all tables. Returns what Salt says of it.
    pub(super) fn save(&self, file: &str) -> Result<String, Failed> {
        let path = Utf8Path::new(file);
        let rules = self.filtered(self.dump(None)?);
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            create_folder(folder, Attributes::default(), Attributes::default())?;
        }
        replace(path, format!("{}\n", rules.trim_end_matches('\n')).as_bytes(), Attributes::default())?;
        Ok(format!("Wrote 1 lines to \"{file}\""))
    }

    fn dump(&self, table: Option<&str>) -> Result<String, Failed> {
        let program = format!("{}-save", self.program);
        let words = table.into_iter().flat_map(|table| ["-t", table]);
        let output = self.host.run(Command::new(&program, words).quiet())?;
        if output.is_success() { Ok(output.stdout) } else { Err(output.why().into()) }
    }

    /// Without the lines that the minion's configuration keeps from being saved.
    fn filtered(&self, rules: String) -> String {
        let filters = self.host.formula.config("iptables.save_filters");
        let filters = filters.as_ref().and_then(Data::as_list).unwrap_or_default().iter().filter_map(Data::as_str);
        let filters: Vec<Regex> = filters.filter_map(|filter| Regex::new(filter).ok()).collect();
        if filters.is_empty() {
            return rules;
        }
        rules.split_inclusive('\n').filter(|line| !filters.iter().any(|filter| filter.is_match(line))).collect()
    }
}

/// What counts of a dump: tables, chains and rules, but neither comments nor policies nor counters.
fn rules(dump: &str) -> Vec<&str> {
    dump.lines()
        .filter_map(|line| match line.chars().next()? {
            '*' => Some(line),
            ':' => line.split_whitespace().next(),
            '-' => Some(line.trim()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_times_do_not_count() {
        let one = "# at 10:00\n*filter\n:INPUT ACCEPT [5:100]\n-A INPUT -j DROP\nCOMMIT\n";
        let two = "# at 11:00\n*filter\n:INPUT DROP [0:0]\n-A INPUT -j DROP\nCOMMIT\n# done\n";
        assert_eq!(rules(one), rules(two));
        assert_ne!(rules(one), rules("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"));
    }
}
