//! The text of a crontab: what people wrote, and below a line of Salt's what states did.
//!
//! What is above that line is never touched. What is below comes out as Salt writes it: the two may take turns.

use std::fmt::Write as _;

const LINE: &str = "# Lines below here are managed by Salt, do not edit";

const IDENTIFIER: &str = "SALT_CRON_IDENTIFIER";

/// What stands for the identifier of a job that has none.
const NO_IDENTIFIER: &str = "NO ID SET";

/// What stands before a job that is to be there and not to run.
const OFF: &str = "#DISABLED#";

/// A crontab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tab {
    above: Vec<String>,
    variables: Vec<(String, String)>,
    jobs: Vec<Job>,
}

/// A job of a crontab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) when: When,
    pub(super) command: String,
    pub(super) identifier: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) is_off: bool,
}

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// Minute, hour, day of the month, month, day of the week.
    At([String; 5]),
    /// `@daily`.
    Special(String),
}

/// What became of something that was to be in a crontab or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// It was there already.
    There,
    /// It was not there in the first place.
    Gone,
    Added,
    Updated,
    Removed,
}

impl When {
    fn is_special(&self) -> bool {
        matches!(self, Self::Special(_))
    }

    /// Whether a job that runs like this runs as it should.
    fn fits(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::At(there), Self::At(wanted)) => there.iter().zip(wanted).all(|(there, wanted)| fits(there, wanted)),
            (there, wanted) => there == wanted,
        }
    }

    /// How a job should run, where this is how it runs: what is left to chance stays what it came to.
    fn settled(&self, wanted: Self) -> Self {
        match (self, wanted) {
            (Self::At(there), Self::At(mut wanted)) => {
                for (wanted, there) in wanted.iter_mut().zip(there).filter(|(wanted, there)| fits(there, wanted)) {
                    wanted.clone_from(there);
                }
                Self::At(wanted)
            }
            (_, wanted) => wanted,
        }
    }
}

/// Whether a field is as wanted. `random` is anything but always, and `5:10` something in between.
fn fits(there: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    match wanted.split_once(':').map(|(low, high)| (number(low), number(high), number(there))) {
        Some((Some(low), Some(high), Some(there))) => (low.min(high)..=low.max(high)).contains(&there),
        _ => there == wanted || (wanted == "random" && there != "*"),
    }
}

impl Job {
    /// Whether a state that has this command and identifier means this job.
    fn is_meant(&self, command: &str, identifier: Option<&str>) -> bool {
        let own = self.identifier.as_deref().filter(|own| !own.is_empty());
        let wanted = identifier.filter(|wanted| !wanted.is_empty());
        match own {
            // A job without one is known by its command, and gets an identifier by that.
            None | Some(NO_IDENTIFIER) => self.command == command,
            own => own == wanted,
        }
    }

    fn is_as(&self, wanted: &Self) -> bool {
        self.when.fits(&wanted.when)
            && self.command == wanted.command
            && self.is_off == wanted.is_off
            && wanted.identifier.as_ref().is_none_or(|_| self.identifier == wanted.identifier)
            && wanted.comment.as_ref().is_none_or(|_| self.comment == wanted.comment)
    }

    fn write(&self, text: &mut String) {
        if self.comment.is_some() || self.identifier.is_some() {
            text.push('#');
            if let Some(comment) = self.comment.as_deref().filter(|comment| !comment.is_empty()) {
                let comment = if self.when.is_special() { comment.trim_end() } else { comment };
                let _ = write!(text, " {}", comment.replace('\n', "\n# "));
            }
            if let Some(identifier) = self.identifier.as_deref().filter(|identifier| !identifier.is_empty()) {
                let _ = write!(text, " {IDENTIFIER}:{identifier}");
            }
            text.push('\n');
        }
        let off = if self.is_off { OFF } else { "" };
        let when = match &self.when {
            When::At(fields) => fields.join(" "),
            When::Special(special) => special.clone(),
        };
        let _ = writeln!(text, "{off}{when} {}", self.command);
    }
}

impl Tab {
    pub(super) fn read(text: &str) -> Self {
        let mut tab = Self::default();
        let mut lines = text.lines();
        tab.above = lines.by_ref().take_while(|line| *line != LINE).map(str::to_owned).collect();
        let (mut comment, mut identifier) = (None::<String>, None);
        for line in lines.filter(|line| *line != LINE) {
            let (line, is_off) = line.strip_prefix(OFF).map_or((line, false), |line| (line, true));
            if line.starts_with('#') {
                let (text, own) = read_comment(line);
                identifier = own.or(identifier);
                comment = Some(comment.map_or_else(|| text.clone(), |above| format!("{above}\n{text}")));
            } else if let Some((when, command)) = read_job(line) {
                let (identifier, comment) = (identifier.take(), comment.take());
                tab.jobs.push(Job { when, command, identifier, comment, is_off });
            } else if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.is_empty()) {
                tab.variables.push((name.to_owned(), value.to_owned()));
            }
        }
        tab
    }

    pub(super) fn write(&self) -> String {
        let mut text: String = self.above.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        text.push_str(LINE);
        text.push('\n');
        for (name, value) in &self.variables {
            let value = if value.is_empty() { "\"\"" } else { value };
            let _ = writeln!(text, "{name}={value}");
        }
        let (special, at): (Vec<&Job>, Vec<&Job>) = self.jobs.iter().partition(|job| job.when.is_special());
        for job in at.into_iter().chain(special) {
            job.write(&mut text);
        }
        text
    }

    /// Puts a job in, in place of any that a state of its command and identifier means. What is not said of it stays.
    pub(super) fn set(&mut self, mut wanted: Job) -> Done {
        let mut done = Done::Added;
        let meant = |job: &Job, wanted: &Job| job.is_meant(&wanted.command, wanted.identifier.as_deref());
        while let Some(place) = self.jobs.iter().position(|job| meant(job, &wanted)) {
            if self.jobs.get(place).is_some_and(|job| job.is_as(&wanted)) {
                return if done == Done::Added { Done::There } else { done };
            }
            done = Done::Updated;
            let there = self.jobs.remove(place);
            wanted.when = there.when.settled(wanted.when);
            wanted.comment = wanted.comment.or(there.comment);
            wanted.identifier = wanted.identifier.or(there.identifier);
        }
        if let When::At(fields) = &mut wanted.when {
            super::chance::settle(fields);
        }
        self.jobs.push(wanted);
        done
    }

    /// Takes out the first job that a state means: one at a time of day, or one at this special time.
    pub(super) fn remove(&mut self, command: &str, identifier: Option<&str>, special: Option<&str>) -> Done {
        let fits = |when: &When| match (when, special) {
            (When::At(_), None) => true,
            (When::Special(there), Some(special)) => there == special,
            _ => false,
        };
        let place = self.jobs.iter().position(|job| fits(&job.when) && job.is_meant(command, identifier));
        match place.map(|place| self.jobs.remove(place)) {
            Some(_) => Done::Removed,
            None => Done::Gone,
        }
    }

    /// Gives a variable a value. One that had another comes last.
    pub(super) fn set_variable(&mut self, name: &str, value: &str) -> Done {
        let plain = |value: &str| if value == "\"\"" { String::new() } else { value.to_owned() };
        let done = match self.variables.iter().position(|(there, _)| there == name) {
            None => Done::Added,
            Some(place) if self.variables.get(place).is_some_and(|(_, there)| plain(there) == plain(value)) => {
                return Done::There;
            }
            Some(place) => {
                self.variables.remove(place);
                Done::Updated
            }
        };
        self.variables.push((name.to_owned(), value.to_owned()));
        done
    }

    pub(super) fn remove_variable(&mut self, name: &str) -> Done {
        match self.variables.iter().rposition(|(there, _)| there == name) {
            Some(place) => {
                self.variables.remove(place);
                Done::Removed
            }
            None => Done::Gone,
        }
    }
}

/// What a comment says, and the identifier in it.
fn read_comment(line: &str) -> (String, Option<String>) {
    let text = line.trim_start_matches(['#', ' ']);
    match text.split_once(IDENTIFIER) {
        None => (text.to_owned(), None),
        Some((comment, rest)) => {
            let identifier = rest.get(1..).filter(|identifier| !identifier.is_empty()).map(str::to_owned);
            (comment.trim_end().to_owned(), identifier)
        }
    }
}

fn read_job(line: &str) -> Option<(When, String)> {
    if line.starts_with('@') {
        let mut words = line.split_whitespace();
        let special = words.next()?.to_owned();
        let command = words.collect::<Vec<_>>().join(" ");
        return Some((When::Special(special), command)).filter(|(_, command)| !command.is_empty());
    }
    // `MAILTO=root and others` is a variable.
    if line.split(' ').next()?.contains('=') {
        return None;
    }
    let mut words = line.splitn(6, ' ').map(str::to_owned);
    let mut field = || words.next();
    let fields = [field()?, field()?, field()?, field()?, field()?];
    Some((When::At(fields), field()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "MAILTO=ops\n# by hand\n1 2 * * * old\n\
        # Lines below here are managed by Salt, do not edit\n\
        PATH=/bin:/usr/bin\n\
        # SALT_CRON_IDENTIFIER:rotate\n*/5 * * * * rotate --all  now\n\
        # two\n# lines SALT_CRON_IDENTIFIER:b\n#DISABLED#0 3 * * 1 backup\n\
        # SALT_CRON_IDENTIFIER:boot\n@reboot start it\n";

    fn job(when: [&str; 5], command: &str, identifier: &str) -> Job {
        Job {
            when: When::At(when.map(str::to_owned)),
            command: command.to_owned(),
            identifier: Some(identifier.to_owned()),
            comment: None,
            is_off: false,
        }
    }

    #[test]
    fn a_crontab_is_written_as_it_was_read() {
        assert_eq!(Tab::read(TEXT).write(), TEXT);
        assert_eq!(Tab::read("").write(), format!("{LINE}\n"));
    }

    #[test]
    fn a_job_is_known_by_its_identifier_and_else_by_its_command() {
        let mut tab = Tab::read(TEXT);
        assert_eq!(tab.set(job(["*/5", "*", "*", "*", "*"], "rotate --all  now", "rotate")), Done::There);
        assert_eq!(tab.set(job(["0", "4", "*", "*", "*"], "rotate", "rotate")), Done::Updated);
        assert_eq!(tab.set(job(["0", "4", "*", "*", "*"], "rotate", "rotate")), Done::There);
        assert_eq!(tab.set(job(["1", "2", "*", "*", "*"], "old", "old")), Done::Added);
        let text = tab.write();
        assert!(text.ends_with(
            "# SALT_CRON_IDENTIFIER:rotate\n0 4 * * * rotate\n# SALT_CRON_IDENTIFIER:old\n1 2 * * * old\n\
             # SALT_CRON_IDENTIFIER:boot\n@reboot start it\n"
        ));
        assert!(text.starts_with("MAILTO=ops\n# by hand\n1 2 * * * old\n"));
    }

    #[test]
    fn what_is_not_said_of_a_job_stays() {
        let mut tab = Tab::read(TEXT);
        assert_eq!(tab.set(job(["0", "3", "*", "*", "1"], "backup", "b")), Done::Updated);
        assert!(tab.write().contains("# two\n# lines SALT_CRON_IDENTIFIER:b\n0 3 * * 1 backup\n"));
    }

    #[test]
    fn chance_decides_once() {
        let mut tab = Tab::default();
        let wanted = job(["random", "5:7", "*", "*", "*"], "c", "c");
        assert_eq!(tab.set(wanted.clone()), Done::Added);
        let text = tab.write();
        assert_eq!(Tab::read(&text).set(wanted.clone()), Done::There);
        let mut tab = Tab::read(&text);
        assert_eq!(tab.set(Job { comment: Some("why".into()), ..wanted }), Done::Updated);
        assert_eq!(tab.write(), text.replace("# SALT", "# why SALT"));
    }

    #[test]
    fn only_what_is_meant_goes() {
        let mut tab = Tab::read(TEXT);
        assert_eq!(tab.remove("old", Some("old"), None), Done::Gone);
        assert_eq!(tab.remove("start it", Some("boot"), None), Done::Gone);
        assert_eq!(tab.remove("anything", Some("boot"), Some("@reboot")), Done::Removed);
        assert_eq!(tab.remove("anything", Some("rotate"), None), Done::Removed);
        assert!(!tab.write().contains("rotate"));
    }

    #[test]
    fn a_variable_without_a_value_is_written_so_that_cron_takes_it() {
        let mut tab = Tab::default();
        assert_eq!(tab.set_variable("MAILTO", ""), Done::Added);
        let mut tab = Tab::read(&tab.write());
        assert_eq!(tab.set_variable("MAILTO", ""), Done::There);
        assert_eq!(tab.set_variable("MAILTO", "ops"), Done::Updated);
        assert_eq!(tab.write(), format!("{LINE}\nMAILTO=ops\n"));
        assert_eq!(tab.remove_variable("MAILTO"), Done::Removed);
    }
}
