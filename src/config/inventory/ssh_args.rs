//! Arguments for `ssh` as options that `ssh -o` takes.

/// Switches, and the option each stands for; those that only change what is shown or how the terminal
/// is used stand for none.
const SWITCHES: [(char, &str); 17] = [
    ('C', "Compression=yes"),
    ('A', "ForwardAgent=yes"),
    ('a', "ForwardAgent=no"),
    ('4', "AddressFamily=inet"),
    ('6', "AddressFamily=inet6"),
    ('K', "GSSAPIAuthentication=yes"),
    ('k', "GSSAPIDelegateCredentials=no"),
    ('X', "ForwardX11=yes"),
    ('Y', "ForwardX11=yes"),
    ('x', "ForwardX11=no"),
    ('g', "GatewayPorts=yes"),
    ('t', ""),
    ('T', ""),
    ('n', ""),
    ('q', ""),
    ('v', ""),
    ('y', ""),
];

/// Arguments with a value, and the option each stands for.
const VALUES: [(char, &str); 13] = [
    ('o', ""),
    ('J', "ProxyJump"),
    ('i', "IdentityFile"),
    ('p', "Port"),
    ('l', "User"),
    ('c', "Ciphers"),
    ('m', "MACs"),
    ('b', "BindAddress"),
    ('B', "BindInterface"),
    ('I', "PKCS11Provider"),
    ('e', "EscapeChar"),
    ('E', "-"),
    ('S', "-"),
];

/// How connections are shared is upshift's own business.
const OWN: [&str; 3] = ["controlmaster", "controlpath", "controlpersist"];

/// What the arguments are as options; the error is a message and perhaps a hint.
pub(super) fn options(words: Vec<String>) -> Result<Vec<String>, (String, &'static str)> {
    let mut options = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            return Err((format!("wanted options for `ssh`, found `{word}`"), "a value with spaces stands in quotes"));
        };
        for (at, letter) in letters.char_indices() {
            if let Some((_, option)) = SWITCHES.iter().find(|(switch, _)| *switch == letter) {
                options.extend((!option.is_empty()).then(|| (*option).to_owned()));
                continue;
            }
            let Some((_, name)) = VALUES.iter().find(|(argument, _)| *argument == letter) else {
                return Err(unknown(letter));
            };
            let rest = letters[at + letter.len_utf8()..].to_owned();
            let value = if rest.is_empty() { words.next() } else { Some(rest) };
            let value = value.ok_or_else(|| (format!("`-{letter}` for `ssh` needs a value"), ""))?;
            match *name {
                "-" => {}
                "" => options.extend(option(&value)?),
                name => options.push(format!("{name}={value}")),
            }
            break;
        }
    }
    Ok(options)
}

/// What `-o` is given; nothing for one that is upshift's own business.
fn option(value: &str) -> Result<Option<String>, (String, &'static str)> {
    let value = value.trim().to_owned();
    let Some((name, _)) = value.split_once(['=', ' ']).filter(|(name, _)| !name.is_empty() && !name.starts_with('-'))
    else {
        return Err((
            format!("wanted an option as `ssh -o` takes it, such as `ProxyJump=bastion`, found `{value}`"),
            "",
        ));
    };
    Ok((!OWN.contains(&name.trim().to_lowercase().as_str())).then_some(value))
}

fn unknown(letter: char) -> (String, &'static str) {
    let hint = match letter {
        'F' => "put what the file says into `~/.ssh/config`, which upshift's `ssh` reads, or into `-o` options",
        'L' | 'R' | 'D' | 'W' | 'w' | 'N' | 'f' => "upshift forwards no ports: put it into `~/.ssh/config`",
        _ => "",
    };
    (format!("upshift cannot take `-{letter}` for `ssh` from an inventory"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(arguments: &[&str]) -> String {
        match options(arguments.iter().map(|word| (*word).to_owned()).collect()) {
            Ok(options) => options.join("|"),
            Err((message, _)) => message,
        }
    }

    #[test]
    fn arguments_become_options() {
        assert_eq!(
            said(&["-o", "A=b", "-oC=d", "-J", "jump", "-i~/k", "-CAv"]),
            "A=b|C=d|ProxyJump=jump|IdentityFile=~/k|Compression=yes|ForwardAgent=yes"
        );
        assert_eq!(said(&["-o", "ProxyCommand=ssh -W %h:%p -q jump"]), "ProxyCommand=ssh -W %h:%p -q jump");
        assert_eq!(
            said(&["-C", "-o", "ControlMaster=auto", "-o", "controlpersist 60s", "-S", "none"]),
            "Compression=yes"
        );
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        assert_eq!(said(&["-F", "x"]), "upshift cannot take `-F` for `ssh` from an inventory");
        assert_eq!(said(&["-o"]), "`-o` for `ssh` needs a value");
        assert_eq!(said(&["-o", "x"]), "wanted an option as `ssh -o` takes it, such as `ProxyJump=bastion`, found `x`");
        assert_eq!(said(&["jump"]), "wanted options for `ssh`, found `jump`");
        assert_eq!(said(&["-"]), "wanted options for `ssh`, found `-`");
    }
}
