//! The architecture that a host's packages are built for.
//!
//! A 64-bit kernel may run 32-bit packages, so the kernel's word does not count: the package manager is
//! itself such a package, and the first bytes of its program say for what it was built (`elf(5)`).

use super::tree::Tree;

/// The grain `osarch`: as `dpkg --print-architecture` or `rpm --eval '%{_host_cpu}'` name it, else the
/// kernel's name of the processor.
pub(super) fn of_packages(tree: &Tree, family: &str, cpu: &str) -> String {
    let program = match family {
        "Debian" => "dpkg",
        "RedHat" | "Suse" => "rpm",
        _ => return cpu.into(),
    };
    let built_for = tree.program(program).and_then(|path| Machine::parse(&tree.head(&path, 64)?));
    let name = match family {
        "Debian" => built_for.or_else(|| Machine::named(cpu)).and_then(Machine::debian),
        _ => built_for.and_then(Machine::rpm),
    };
    name.unwrap_or(cpu).into()
}

/// What a program was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Machine {
    number: u16,
    wide: bool,
    little: bool,
    hard_float: bool,
}

impl Machine {
    fn parse(head: &[u8]) -> Option<Self> {
        let rest = head.strip_prefix(b"\x7fELF")?;
        let (wide, little) = (*rest.first()? == 2, *rest.get(1)? == 1);
        let machine = [*head.get(18)?, *head.get(19)?];
        let number = if little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) };
        // Of the flags of a 32-bit program, the bit that says hard float on ARM.
        let hard_float = !wide && head.get(if little { 37 } else { 38 }).is_some_and(|byte| byte & 4 != 0);
        Some(Self { number, wide, little, hard_float })
    }

    /// What the kernel calls a processor.
    fn named(cpu: &str) -> Option<Self> {
        let (number, wide, little) = match cpu {
            "x86_64" => (62, true, true),
            "i386" | "i486" | "i586" | "i686" => (3, false, true),
            "aarch64" => (183, true, true),
            "armv7l" => (40, false, true),
            "ppc64le" => (21, true, true),
            "s390x" => (22, true, false),
            "riscv64" => (243, true, true),
            _ => return None,
        };
        Some(Self { number, wide, little, hard_float: true })
    }

    fn debian(self) -> Option<&'static str> {
        Some(match (self.number, self.wide, self.little) {
            (62, true, _) => "amd64",
            (62, false, _) => "x32",
            (3, ..) => "i386",
            (183, ..) => "arm64",
            (40, ..) if self.hard_float => "armhf",
            (40, ..) => "armel",
            (21, _, true) => "ppc64el",
            (21, _, false) => "ppc64",
            (20, ..) => "powerpc",
            (22, true, _) => "s390x",
            (243, true, _) => "riscv64",
            (258, true, _) => "loong64",
            (8, true, true) => "mips64el",
            (8, false, true) => "mipsel",
            _ => return None,
        })
    }

    fn rpm(self) -> Option<&'static str> {
        Some(match (self.number, self.wide, self.little) {
            (62, ..) => "x86_64",
            (3, ..) => "i686",
            (183, ..) => "aarch64",
            (21, _, true) => "ppc64le",
            (21, _, false) => "ppc64",
            (22, true, _) => "s390x",
            (243, true, _) => "riscv64",
            _ => return None,
        })
    }
}
