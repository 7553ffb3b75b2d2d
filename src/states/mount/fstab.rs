//! `fstab(5)`: lines that nobody asks about stay byte for byte.

use camino::Utf8Path;
use fs_err as fs;

use crate::formula::Data;
use crate::states::disk::{self, Attributes};
use crate::states::{Args, Failed};

/// Where the table is, unless a state says otherwise.
pub(super) const FSTAB: &str = "/etc/fstab";

/// File systems whose lines Salt knows by their mount point: the same device may be mounted many times.
const BY_NAME: [&str; 13] = [
    "none",
    "tmpfs",
    "sysfs",
    "proc",
    "fusectl",
    "debugfs",
    "securityfs",
    "devtmpfs",
    "cgroup",
    "nfs",
    "nfs4",
    "glusterfs",
    "btrfs",
];

/// The fields of a line as `match_on` calls them.
pub(super) const FIELDS: [&str; 6] = ["device", "name", "fstype", "opts", "dump", "pass_num"];

/// The fields of a line, without the escapes that the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line([String; 6]);

/// The fields by which a line is known.
pub(super) struct Match(Vec<usize>);

/// What became of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Present,
    New,
    Changed,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table(String);

impl Line {
    /// A line that is to be there.
    pub(super) fn new(device: &str, name: &str, fstype: &str, options: &[String], order: [String; 2]) -> Self {
        let [dump, pass] = order;
        // A space in a device may be written as the kernel's own tools print it.
        let device = device.replace("\\ ", " ");
        Self([device, name.to_owned(), fstype.to_owned(), options.join(",").replace("\\ ", " "), dump, pass])
    }

    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if text.starts_with('#') || !(4..=6).contains(&words.len()) {
            return None;
        }
        let word = |at: usize| words.get(at).map_or_else(|| "0".to_owned(), |word| unescaped(word));
        Some(Self([word(0), word(1), word(2), word(3), word(4), word(5)]))
    }

    fn text(&self) -> String {
        let [device, name, fstype, options, dump, pass] = self.0.each_ref().map(|field| escaped(field));
        format!("{device}\t\t{name}\t{fstype}\t{options}\t{dump} {pass}\n")
    }

    pub(super) fn device(&self) -> &str {
        &self.0[0]
    }

    pub(super) fn name(&self) -> &str {
        &self.0[1]
    }

    pub(super) fn fstype(&self) -> &str {
        &self.0[2]
    }

    /// Whether two lines say the same in some fields. Options may come in any order.
    fn is_like(&self, other: &Self, on: &[usize]) -> bool {
        let sorted = |text: &str| {
            let mut options: Vec<_> = text.split(',').map(str::to_owned).collect();
            options.sort();
            options
        };
        on.iter().all(|at| match (self.0.get(*at), other.0.get(*at)) {
            (Some(one), Some(two)) if *at == 3 => sorted(one) == sorted(two),
            (one, two) => one == two,
        })
    }
}

impl Match {
    /// The fields that `match_on` names; `auto` depends on the file system.
    pub(super) fn of(args: &Args<'_>, fstype: &str) -> Result<Self, Failed> {
        match args.get("match_on") {
            None => Ok(Self::auto(fstype)),
            Some(Data::Str(text)) if &**text == "auto" => Ok(Self::auto(fstype)),
            Some(_) => {
                let at = |name: &String| FIELDS.iter().position(|field| field == name);
                let unknown = |name: &String| format!("`match_on` has no `{name}`; it has {}", FIELDS.join(", "));
                let fields = args.texts("match_on")?;
                let found: Result<_, String> =
                    fields.iter().map(|name| at(name).ok_or_else(|| unknown(name))).collect();
                Ok(Self(found?))
            }
        }
    }

    pub(super) fn auto(fstype: &str) -> Self {
        Self(vec![usize::from(BY_NAME.contains(&fstype))])
    }
}

impl Table {
    /// # Errors
    /// When there is no table, or it cannot be read.
    pub(super) fn read(path: &Utf8Path) -> Result<Self, Failed> {
        if !path.is_file() {
            return Err(format!("Bad config file \"{path}\"").into());
        }
        Ok(Self(fs::read_to_string(path)?))
    }

    /// The table; without a line if there is none.
    pub(super) fn read_if_there(path: &Utf8Path) -> Result<Self, Failed> {
        if path.is_file() { Self::read(path) } else { Ok(Self(String::new())) }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        self.0.lines().filter_map(Line::read)
    }

    /// The first line of a mount point.
    pub(super) fn at(&self, name: &str) -> Option<Line> {
        self.lines().find(|line| line.name() == name)
    }

    /// Puts a line in the place of those that are known by the same fields, or last.
    pub(super) fn set(&mut self, wanted: &Line, on: &Match) -> Done {
        let mut done = None;
        let mut replaced = String::new();
        for text in self.0.split_inclusive('\n') {
            match Line::read(text).filter(|line| line.is_like(wanted, &on.0)) {
                Some(line) if !line.is_like(wanted, &[0, 1, 2, 3, 4, 5]) => {
                    done = Some(Done::Changed);
                    replaced += &wanted.text();
                }
                Some(_) => {
                    done = done.or(Some(Done::Present));
                    replaced += text;
                }
                None => replaced += text,
            }
        }
        if done.is_none() {
            if !replaced.is_empty() && !replaced.ends_with('\n') {
                replaced.push('\n');
            }
            replaced += &wanted.text();
        }
        self.0 = replaced;
        done.unwrap_or(Done::New)
    }

    /// Whether a line is known by these fields.
    pub(super) fn has(&self, wanted: &Line, on: &Match) -> bool {
        self.lines().any(|line| line.is_like(wanted, &on.0))
    }

    /// Takes the lines of a mount point out, or those of them with a device.
    pub(super) fn remove(&mut self, name: &str, device: Option<&str>) {
        let is_it = |line: &Line| line.name() == name && device.is_none_or(|device| line.device() == device);
        let stays = |text: &&str| !Line::read(text).is_some_and(|line| is_it(&line));
        self.0 = self.0.split_inclusive('\n').filter(stays).collect();
    }

    pub(super) fn write(&self, path: &Utf8Path) -> Result<(), Failed> {
        Ok(disk::replace(path, self.0.as_bytes(), Attributes::default())?)
    }
}

/// A field as the file has it: spaces, tabs and what stands for them are octal.
fn escaped(field: &str) -> String {
    field.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}

/// A field of `fstab(5)`, of `/proc/self/mountinfo` or of `/proc/swaps`, without its octal escapes.
pub(super) fn unescaped(field: &str) -> String {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *byte == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(escaped) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            text.push(escaped);
            rest = after.get(3..).unwrap_or_default();
        } else {
            text.push(*byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "# <file system>\n/dev/sda1 / ext4 errors=remount-ro 0 1\nnfs:/a\\040b /mnt/a\\040b nfs rw,bg\n";

    fn line(device: &str, name: &str, fstype: &str, options: &str) -> Line {
        Line::new(device, name, fstype, &[options.to_owned()], ["0".into(), "0".into()])
    }

    #[test]
    fn a_line_is_replaced_in_its_place_and_the_others_stay_as_they_are() {
        let mut table = Table(TABLE.to_owned());
        let wanted = line("/dev/sda1", "/", "ext4", "noatime");
        assert_eq!(table.set(&wanted, &Match::auto("ext4")), Done::Changed);
        assert_eq!(
            table.0,
            TABLE.replace("/dev/sda1 / ext4 errors=remount-ro 0 1", "/dev/sda1\t\t/\text4\tnoatime\t0 0")
        );
        assert_eq!(table.set(&wanted, &Match::auto("ext4")), Done::Present);
    }

    #[test]
    fn spaces_and_the_order_of_options_make_no_difference() {
        let mut table = Table(TABLE.to_owned());
        assert_eq!(table.set(&line("nfs:/a b", "/mnt/a b", "nfs", "bg,rw"), &Match::auto("nfs")), Done::Present);
        let mut open = Table("/dev/sda1 / ext4 rw".to_owned());
        assert_eq!(open.set(&line("tmpfs", "/x y", "tmpfs", "rw"), &Match::auto("tmpfs")), Done::New);
        assert_eq!(open.0, "/dev/sda1 / ext4 rw\ntmpfs\t\t/x\\040y\ttmpfs\trw\t0 0\n");
    }

    #[test]
    fn only_the_lines_of_the_device_are_removed() {
        let mut table = Table("a /m x rw\nb /m x rw\n#c /m x rw\n".to_owned());
        table.remove("/m", Some("a"));
        assert_eq!(table.0, "b /m x rw\n#c /m x rw\n");
        table.remove("/m", None);
        assert_eq!(table.0, "#c /m x rw\n");
    }
}
