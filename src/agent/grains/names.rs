//! How Salt names distributions, and which family it puts them into.
//!
//! A name that is not here stays what the distribution calls itself, and is its own family.

/// The grain `os` for what a distribution calls itself.
pub(super) fn os(full: &str, id: &str) -> String {
    match (id, full) {
        ("astra", "Astra Linux (Orel)") => return "AstraLinuxCE".into(),
        ("astra", "Astra Linux (Smolensk)") => return "AstraLinuxSE".into(),
        ("pop", "Pop!_OS") => return "Pop".into(),
        _ => {}
    }
    let name = without_linux(full);
    let short: String = name.split(' ').collect::<String>().to_lowercase().chars().take(10).collect();
    let known = match short.as_str() {
        "redhatente" => "RedHat",
        "gentoobase" => "Gentoo",
        "archarm" => "Arch ARM",
        "arch" => "Arch",
        "debian" => "Debian",
        "raspbian" => "Raspbian",
        "fedoraremi" | "pidora" => "Fedora",
        "chapeau" => "Chapeau",
        "korora" => "Korora",
        "amazonami" => "Amazon",
        "alt" => "ALT",
        "enterprise" | "oracleserv" => "OEL",
        "cloudserve" | "cloudlinux" => "CloudLinux",
        "almalinux" => "AlmaLinux",
        "scientific" => "ScientificLinux",
        "synology" => "Synology",
        "nilrt" => "NILinuxRT",
        "poky" => "Poky",
        "manjaro" | "manjarolin" => "Manjaro",
        "univention" => "Univention",
        "antergos" => "Antergos",
        "sles" => "SUSE",
        "void" => "Void",
        "slesexpand" => "RES",
        "linuxmint" => "Mint",
        "neon" => "KDE neon",
        "pop" => "Pop",
        "rocky" => "Rocky",
        "alibabaclo" => "Alinux",
        "mendel" => "Mendel",
        "photon" => "VMware Photon OS",
        _ => name.as_str(),
    };
    known.into()
}

/// A name without its words `Linux` and `GNU/Linux`.
fn without_linux(full: &str) -> String {
    let mut name = full.to_owned();
    for word in ["gnu/linux", "linux"] {
        let mut from = 0;
        // ASCII case leaves every byte where it was, so that places found there hold here.
        while let Some(at) = name[from..].to_ascii_lowercase().find(word).map(|at| from + at) {
            let before = name[..at].chars().next_back().filter(|c| !c.is_alphanumeric() && *c != '_');
            let Some(before) = before else {
                from = at + word.len();
                continue;
            };
            from = at - before.len_utf8();
            name.replace_range(from..at + word.len(), "");
        }
    }
    name.trim().to_owned()
}

/// The grain `os_family` for the grain `os`.
pub(super) fn family(os: &str) -> &str {
    match os {
        "Ubuntu" | "Mint" | "Trisquel" | "GCEL" | "Linaro" | "elementary OS" | "elementary" | "Univention"
        | "Raspbian" | "Devuan" | "antiX" | "Kali" | "Parrot OS" | "neon" | "Cumulus" | "Deepin" | "KDE neon"
        | "IDMS" | "TurnKey" | "Pop" | "AstraLinuxCE" | "AstraLinuxSE" | "Mendel" | "OSMC" => "Debian",
        "Fedora" | "Chapeau" | "Korora" | "FedBerry" | "CentOS" | "CentOS Stream" | "GoOSe" | "Scientific"
        | "Amazon" | "CloudLinux" | "AlmaLinux" | "OVS" | "OEL" | "XCP" | "XCP-ng" | "XenServer" | "RES"
        | "Sangoma" | "VMware Photon OS" | "AlterOS" | "RED OS" | "ALT" | "ScientificLinux" | "Rocky" | "Alinux" => {
            "RedHat"
        }
        "SLES"
        | "SUSE Enterprise Server"
        | "SUSE  Enterprise Server"
        | "SLED"
        | "openSUSE"
        | "SUSE"
        | "openSUSE Leap"
        | "openSUSE Tumbleweed"
        | "SLES_SAP"
        | "alfaLinux"
        | "alfaLinux Rise" => "Suse",
        "Arch ARM" | "Manjaro" | "Manjaro ARM" | "Antergos" | "EndeavourOS" => "Arch",
        "Mandrake" => "Mandriva",
        "VMwareESX" => "VMware",
        "Bluewhite64" => "Bluewhite",
        "Slamd64" => "Slackware",
        "Funtoo" => "Gentoo",
        other => other,
    }
}
