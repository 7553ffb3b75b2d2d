//! Values of a pillar that are encrypted: a host gets them, and nobody reads them on the way.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Site, pipeline};

const PASSWORD: &str = "correct-horse-battery";
const TOKEN: &str = "first line of a token\nsecond line of a token";
const NEW_PASSWORD: &str = "staple-of-another-day";

/// The keys of a person, in the home of a site's sandbox.
struct Keys<'s>(&'s Site);

impl<'s> Keys<'s> {
    fn of(site: &'s Site) -> Self {
        let keys = Self(site);
        let home = site.sandbox.path(".gnupg");
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
        keys.ask("gpg --batch --passphrase '' --quick-generate-key ops@example.org default default never", "");
        site.sandbox.write(".config/upshift/age.txt", &keys.ask("age-keygen", ""));
        keys
    }

    fn gpg(&self, text: &str) -> String {
        self.ask("gpg --batch --armor --trust-model always --encrypt --recipient ops@example.org", text)
    }

    fn age(&self, text: &str) -> String {
        self.ask("age --armor --encrypt --recipient \"$(age-keygen -y .config/upshift/age.txt)\"", text)
    }

    fn ask(&self, command: &str, input: &str) -> String {
        let mut shell = Command::new("sh");
        self.0.sandbox.settle(&mut shell).args(["-c", command]);
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        // It would stay for ever, with a folder that is gone.
        let mut end = Command::new("gpgconf");
        let _ = self.0.sandbox.settle(&mut end).args(["--kill", "gpg-agent"]).status();
    }
}

/// A text as a block of YAML.
fn block(text: &str) -> String {
    text.lines().fold("|".to_owned(), |block, line| format!("{block}\n      {line}"))
}

/// A site with a formula that writes, says and notes what is secret.
fn site() -> Site {
    let site = Site::of(1);
    let states = "/root/app.conf:
  file.managed:
    - source: salt://app/app.conf
    - template: jinja
    - mode: 600
says it:
  cmd.run:
    - name: echo \"it is $TOKEN\"
    - env:
      - TOKEN: {{ pillar.tokens[0] | json }}
notes it:
  test.show_notification:
    - text: the password is {{ pillar.app.password }}
";
    let conf = "host = {{ pillar.app.plain }}\npassword = {{ pillar.app.password }}\n{{ pillar.tokens[0] }}\n";
    site.sandbox.write("formulas/app/init.sls", states).write("formulas/app/app.conf", conf);
    site.sandbox.write("pillar/top.sls", "base: {'*': [password, tokens]}\n");
    let formulas = "[pipeline]\nformulas = [\"formulas\"]\npillar = [\"pillar\"]\n";
    let up = pipeline("[[stage.step]]\napply = [\"app\"]").replacen("[pipeline]\n", formulas, 1);
    site.sandbox.write("up.toml", &up);
    site
}

/// Writes the pillar with the password, as YAML.
fn write_password(site: &Site, password: &str) {
    let pillar = "#!jinja|yaml|gpg\napp:\n    plain: {{ grains.id }}\n    password: ";
    site.sandbox.write("pillar/password.sls", &format!("{pillar}{password}\n"));
}

/// Everything in the files below a folder.
fn texts(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| {
        let read = || String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
        if path.is_dir() { texts(&path) } else { read() }
    };
    entries.map(text).collect()
}

#[test]
fn a_host_gets_values_that_were_encrypted_and_nobody_reads_them_on_the_way() {
    let site = site();
    let keys = Keys::of(&site);
    write_password(&site, &block(&keys.gpg(PASSWORD)));
    let tokens = format!("#!yaml|age\ntokens:\n  - {}\n", block(&keys.age(TOKEN)));
    site.sandbox.write("pillar/tokens.sls", &tokens);
    let host = &site.hosts[0];
    let mut said = String::new();
    for arguments in
        [&["plan", "up.toml", "--preview"][..], &["run", "up.toml"], &["report"], &["report", "--format", "json"]]
    {
        let ended = site.upshift(arguments.iter().copied()).with(0);
        said += &format!("{}{}", ended.out, ended.err);
    }
    let kept = texts(&site.sandbox.path(".upshift"));
    assert!(kept.contains("it is ******"), "{kept}");
    let written = format!("host = {host}\npassword = {PASSWORD}\n{TOKEN}");
    assert_eq!(site.inside(host, "cat /root/app.conf"), written);

    // On one line, as many write it.
    write_password(&site, &format!("'{}'", keys.gpg(NEW_PASSWORD).trim_end().replace('\n', "\\n")));
    let apply = ["apply", "cmp", "app", "--pillar-root", "pillar"];
    let ended = site.upshift(apply.into_iter().chain(["--preview"])).with(0);
    assert!(ended.out.contains("-password = ******\n") && ended.out.contains("+password = ******\n"), "{}", ended.out);
    said += &format!("{}{}", ended.out, ended.err);
    let ended = site.upshift(apply).with(0);
    said += &format!("{}{}", ended.out, ended.err);
    assert_eq!(site.inside(host, "cat /root/app.conf"), written.replace(PASSWORD, NEW_PASSWORD));

    // What is called here sees them as well, and says no more.
    let call = ["call", "app", "--root", "formulas", "--pillar-root", "pillar", "--preview", "--format", "json"];
    let called = site.upshift(call).with(0);
    assert!(called.out.contains("the password is ******"), "{}", called.out);
    said += &format!("{}{}", called.out, called.err);

    said += &texts(&site.sandbox.path(".upshift"));
    for secret in TOKEN.lines().chain([PASSWORD, NEW_PASSWORD]) {
        assert!(!said.contains(secret), "{said}");
        let places = "/var/lib/upshift /run /tmp /var/tmp /var/log /root";
        assert_eq!(
            site.inside(host, &format!("grep -rlF '{secret}' {places}; true")).trim_start_matches("/root/app.conf"),
            ""
        );
    }
}

#[test]
fn a_value_that_nobody_here_can_open_is_an_error_before_anything_is_touched() {
    let site = site();
    let keys = Keys::of(&site);
    write_password(&site, &block(&keys.gpg(PASSWORD)));
    let encrypted = keys.age(TOKEN);
    site.sandbox.write("pillar/tokens.sls", &format!("#!yaml|age\ntokens:\n  - {}\n", block(&encrypted)));
    site.sandbox.write(".config/upshift/age.txt", &keys.ask("age-keygen", ""));
    let ended = site.upshift(["apply", "cmp", "app", "--pillar-root", "pillar"]);
    assert!(ended.err.contains("tokens.sls: tokens: an encrypted value cannot be opened"), "{ended:?}");
    assert!(!format!("{ended:?}").contains(PASSWORD), "{ended:?}");
    assert_eq!(site.inside(&site.hosts[0], "ls /root/app.conf 2>&1 | grep -c 'No such'"), "1");
}
