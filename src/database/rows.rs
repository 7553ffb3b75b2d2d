//! Counts the rows of a dump while it goes by: exactly what is in it, whatever the server does meanwhile.

use super::Contents;
use super::through::See;

/// The longest beginning of a line that is looked at.
const HEAD: usize = 64 * 1024;

/// Counts the rows of a dump of `mariadb-dump` or `mysqldump`.
#[derive(Default)]
pub(super) struct Counting {
    /// What was counted so far.
    pub(super) contents: Contents,
    database: String,
    at: At,
    /// Within the body of a routine, trigger or event, whose lines may look like anything.
    is_in_body: bool,
}

/// Where in the dump the next byte is.
enum At {
    /// In a line that may turn out to be of interest; so much of it was seen.
    Line(Vec<u8>),
    /// In a line that is not.
    Rest,
    /// Among the rows of an `INSERT` for a table.
    Rows { table: String, rows: u64, depth: u32, is_quoted: bool, is_escaped: bool },
}

impl Default for At {
    fn default() -> Self {
        Self::Line(Vec::new())
    }
}

impl See for Counting {
    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = match &mut self.at {
                At::Rest => match bytes.iter().position(|byte| *byte == b'\n') {
                    Some(end) => {
                        self.at = At::Line(Vec::new());
                        end + 1
                    }
                    None => return,
                },
                At::Rows { .. } => self.rows(bytes),
                At::Line(_) => self.line(bytes),
            };
            bytes = bytes.get(used..).unwrap_or_default();
        }
    }
}

impl Counting {
    /// Takes bytes of a line up to where it is known what it is.
    fn line(&mut self, bytes: &[u8]) -> usize {
        let At::Line(line) = &mut self.at else { return 0 };
        for (at, &byte) in bytes.iter().enumerate() {
            line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(line);
                self.whole(&line);
                return at + 1;
            }
            if !may_matter(line, self.is_in_body) || line.len() > HEAD {
                self.at = At::Rest;
                return at + 1;
            }
            // A name may have the word in it, between its quotes.
            let is_outside = || line.iter().fold(true, |is_outside, byte| is_outside != (*byte == b'`'));
            if byte == b'S' && line.starts_with(INSERT) && line.ends_with(b"VALUES") && is_outside() {
                let table = name(line.get(INSERT.len() - 1..).unwrap_or_default());
                self.at = At::Rows { table, rows: 0, depth: 0, is_quoted: false, is_escaped: false };
                return at + 1;
            }
        }
        bytes.len()
    }

    /// A whole line that may be of interest.
    fn whole(&mut self, line: &[u8]) {
        if let Some(delimiter) = line.strip_prefix(DELIMITER) {
            self.is_in_body = delimiter.trim_ascii() != b";";
        } else if line.starts_with(USE) {
            self.database = name(line.get(USE.len() - 1..).unwrap_or_default());
        } else if line.starts_with(CREATE) {
            let table = name(line.get(CREATE.len() - 1..).unwrap_or_default());
            self.contents.add(&self.database, &table, 0);
        }
    }

    /// Counts rows up to the end of their statement.
    fn rows(&mut self, bytes: &[u8]) -> usize {
        let At::Rows { table, rows, depth, is_quoted, is_escaped } = &mut self.at else { return 0 };
        for (at, &byte) in bytes.iter().enumerate() {
            if *is_quoted {
                match byte {
                    _ if *is_escaped => *is_escaped = false,
                    b'\\' => *is_escaped = true,
                    b'\'' => *is_quoted = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'\'' => *is_quoted = true,
                b'(' => {
                    *rows += u64::from(*depth == 0);
                    *depth += 1;
                }
                b')' => *depth = depth.saturating_sub(1),
                b';' if *depth == 0 => {
                    self.contents.add(&self.database, table, *rows);
                    self.at = At::Rest;
                    return at + 1;
                }
                _ => {}
            }
        }
        bytes.len()
    }
}

const INSERT: &[u8] = b"INSERT INTO `";
const CREATE: &[u8] = b"CREATE TABLE `";
const USE: &[u8] = b"USE `";
const DELIMITER: &[u8] = b"DELIMITER ";

/// Whether a line that begins like this may be of interest.
fn may_matter(line: &[u8], is_in_body: bool) -> bool {
    let wanted = if is_in_body { &[DELIMITER][..] } else { &[INSERT, CREATE, USE, DELIMITER][..] };
    wanted.iter().any(|wanted| line.starts_with(wanted) || wanted.starts_with(line))
}

/// The name that quoted text begins with.
fn name(quoted: &[u8]) -> String {
    let mut name = Vec::new();
    let mut bytes = quoted.iter().skip(1).peekable();
    while let Some(&byte) = bytes.next() {
        if byte == b'`' && bytes.next_if_eq(&&b'`').is_none() {
            break;
        }
        name.push(byte);
    }
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r"/*M!999999\- enable the sandbox mode */
-- MariaDB dump 10.19
/*!40000 DROP DATABASE IF EXISTS `nova`*/;
USE `nova`;
CREATE TABLE `a``b VALUES` (
  `id` int(11) NOT NULL COMMENT '(1),(2)'
) ENGINE=InnoDB;
LOCK TABLES `a``b VALUES` WRITE;
INSERT INTO `a``b VALUES` VALUES
(1,'a),(b;'),
(2,'it\'s; \\'),
(3,_binary '(\'',NULL);
INSERT INTO `a``b VALUES` (`id`, `x`) VALUES (4,(5)),(6,'');
CREATE TABLE `empty` (
/*!50001 CREATE VIEW `v` AS SELECT
 1 AS `id`*/;
DELIMITER ;;
CREATE PROCEDURE `p`()
BEGIN
INSERT INTO `empty` VALUES (1);
USE `other`;
END ;;
DELIMITER ;
USE `glance`;
CREATE TABLE `images` (
INSERT INTO `images` VALUES (1);
-- Dump completed on 2026-11-23
";

    #[test]
    fn rows_are_counted_whatever_stands_in_them_and_wherever_the_dump_is_cut_into_pieces() {
        let counted = |piece: usize| {
            let mut counting = Counting::default();
            DUMP.as_bytes().chunks(piece).for_each(|piece| counting.see(piece));
            counting.contents
        };
        let mut wanted = Contents::default();
        wanted.add("nova", "a`b VALUES", 5);
        wanted.add("nova", "empty", 0);
        wanted.add("glance", "images", 1);
        for piece in [1, 2, 7, 64, DUMP.len()] {
            assert_eq!(counted(piece), wanted, "in pieces of {piece}");
        }
    }
}
