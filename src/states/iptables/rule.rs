//! A rule as an SLS says it: arguments of the state are options of `iptables(8)`.

use indexmap::IndexMap;

use crate::formula::Data;
use crate::states::Args;
use crate::states::arguments::text;

/// Options of targets, which come after the target itself, in this order.
const AFTER_JUMP: &str = "j jump add-set and-mark and-tos checksum-fill clamp-mss-to-pmtu clustermac ctevents ctmask \
    del-set ecn-tcp-remove exist expevents gateway hash-init hashmode helper label local-node log-ip-options log-level \
    log-prefix log-tcp-options log-tcp-sequence log-uid map-set mask mss new nfmask nflog-group nflog-prefix \
    nflog-range nflog-threshold nodst notrack on-ip on-port or-mark or-tos persistent queue-balance queue-bypass \
    queue-num random random-fully rateest-ewmalog rateest-interval rateest-name reject-with restore restore-mark \
    sack-perm save-mark selctx set-class set-dscp set-dscp-class set-mark set-mss set-tos set-xmark strip-options \
    timeout timestamp to to-destination to-ports to-source total-nodes tproxy-mark ttl-dec ttl-inc ttl-set type \
    ulog-cprange ulog-nlgroup ulog-prefix ulog-qthreshold wscale xor-mark xor-tos zone zone-orig zone-reply dst-pfx \
    hl-dec hl-inc hl-set hmark-dport-mask hmark-dst-prefix hmark-mod hmark-offset hmark-proto-mask hmark-rnd \
    hmark-spi-mask hmark-sport-mask hmark-src-prefix hmark-tuple led-always-blink led-delay led-trigger-id \
    queue-cpu-fanout src-pfx to-port addr and-mask delude honeypot or-mask prefix reset reuse set-mac shift static \
    tarpit tname ttl";

/// Arguments that are no options: of the function, and of every state.
const NOT_OPTIONS: &str = "name table family chain position save state fun order failhard onlyif unless creates retry \
    check_cmd cmd_opts_exclude parallel reload_modules reload_grains reload_pillar runas runas_password fire_event \
    saltenv umask use use_in require require_any require_in watch watch_any watch_in onchanges onchanges_any \
    onchanges_in onfail onfail_any onfail_all onfail_in onfail_stop prereq prereq_in prerequired listen listen_in \
    aggregate";

/// The options of a rule that were not used yet.
struct Options(IndexMap<String, Data>);

/// The rule as words of a command line.
pub(super) fn build(args: &Args<'_>) -> Result<String, String> {
    let is_option = |name: &str| !name.starts_with("__") && !NOT_OPTIONS.split(' ').any(|other| other == name);
    let given = args.chunk().entries.iter().filter_map(|(key, value)| Some((key.as_str()?, value)));
    let mut options =
        Options(given.filter(|(key, _)| is_option(key)).map(|(k, v)| (k.to_owned(), v.clone())).collect());
    if let Some(target) = options.take("target") {
        options.0.insert("jump".into(), target);
    }
    let mut rule = Vec::new();
    options.plain("if", "-i", &mut rule)?;
    options.plain("of", "-o", &mut rule)?;
    let is_policy = options.0.get("match").and_then(Data::as_str) == Some("policy");
    let proto = if is_policy { None } else { options.take("proto") };
    if let Some(proto) = proto.or_else(|| options.take("protocol")) {
        options.0.shift_remove("protocol");
        let (not, value) = negated(&word("protocol", &proto)?);
        rule.push(format!("{not}-p {value}"));
    }
    let has_protocol = rule.iter().any(|part| part.contains("-p "));
    options.matches(&mut rule)?;
    if options.0.contains_key("connstate") {
        once(&mut rule, "-m state");
        options.plain("connstate", "--state", &mut rule)?;
    }
    options.plain("dport", "--dport", &mut rule)?;
    options.plain("sport", "--sport", &mut rule)?;
    for name in ["dports", "sports"] {
        let Some(ports) = options.take(name) else { continue };
        if !rule.iter().any(|part| part == "-m multiport") {
            rule.push("-m multiport".into());
            if !has_protocol {
                return Err("protocol must be specified".into());
            }
        }
        let ports = match &ports {
            Data::List(ports) => ports.iter().map(|port| word(name, port)).collect::<Result<Vec<_>, _>>()?,
            port => vec![word(name, port)?],
        };
        if ports.iter().any(|port| is_negated(port)) {
            rule.push("!".into());
        }
        let ports: Vec<String> = ports.iter().map(|port| negated(port).1).collect();
        rule.push(format!("--{name} {}", ports.join(",")));
    }
    if let Some(comment) = options.take("comment") {
        once(&mut rule, "-m comment");
        rule.push(format!("--comment \"{}\"", word("comment", &comment)?));
    }
    if options.0.get("set").is_some_and(Data::is_true) {
        options.plain("set", "--match-set", &mut rule)?;
    }
    let mut after = Vec::new();
    for name in AFTER_JUMP.split_whitespace() {
        let Some(value) = options.take(name) else { continue };
        let value = match value {
            Data::None => String::new(),
            value => word(name, &value)?,
        };
        let quote = if value.contains(char::is_whitespace) { "\"" } else { "" };
        let space = if value.is_empty() { "" } else { " " };
        after.push(format!("--{name}{space}{quote}{value}{quote}"));
    }
    for (name, value) in options.0 {
        let value = if matches!(value, Data::None) { String::new() } else { word(&name, &value)? };
        let (not, value) = negated(&value);
        let dashes = if name.len() == 1 { "-" } else { "--" };
        let space = if value.is_empty() { "" } else { " " };
        rule.push(format!("{not}{dashes}{name}{space}{value}"));
    }
    rule.extend(after);
    Ok(rule.join(" "))
}

impl Options {
    fn take(&mut self, name: &str) -> Option<Data> {
        self.0.shift_remove(name)
    }

    /// An option that has another name in the SLS.
    fn plain(&mut self, name: &str, option: &str, rule: &mut Vec<String>) -> Result<(), String> {
        if let Some(value) = self.take(name) {
            let (not, value) = negated(&word(name, &value)?);
            rule.push(format!("{not}{option} {value}"));
        }
        Ok(())
    }

    /// The modules that match, with what belongs right behind them.
    fn matches(&mut self, rule: &mut Vec<String>) -> Result<(), String> {
        if let Some(value) = self.take("match") {
            let is_policy = value.as_str() == Some("policy");
            let names = match &value {
                Data::List(names) => names.iter().map(|name| word("match", name)).collect::<Result<Vec<_>, _>>()?,
                name => word("match", name)?.split(',').map(str::to_owned).collect(),
            };
            for name in names {
                rule.push(format!("-m {name}"));
                if ["pknock", "quota2", "recent"].contains(&name.trim()) {
                    self.plain("name_", "--name", rule)?;
                }
            }
            if is_policy {
                self.plain("proto", "--proto", rule)?;
            }
        }
        let sets = match self.take("match-set") {
            Some(Data::List(sets)) => sets.to_vec(),
            set => set.into_iter().collect(),
        };
        for set in sets {
            let (not, set) = negated(&word("match-set", &set)?);
            rule.push(format!("-m set {not}--match-set {set}"));
        }
        Ok(())
    }
}

fn once(rule: &mut Vec<String>, part: &str) {
    if !rule.iter().any(|there| there == part) {
        rule.push(part.to_owned());
    }
}

fn word(name: &str, value: &Data) -> Result<String, String> {
    text(value).ok_or_else(|| format!("`{name}` has to be text, not a {}", value.type_name()))
}

fn is_negated(value: &str) -> bool {
    value.starts_with('!') || value.starts_with("not")
}

/// What stands for a negation, and what is negated: `!tcp`, `not tcp`.
fn negated(value: &str) -> (&'static str, String) {
    if !is_negated(value) {
        return ("", value.to_owned());
    }
    let value = value.replace("! ", "").replace('!', "").replace("not ", "").replace("not", "");
    ("! ", value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::returns::dict;

    fn built(options: &[(&str, Data)]) -> Result<String, String> {
        let chunk = dict(options.iter().map(|(name, value)| (*name, value.clone())));
        build(&Args::new(&chunk))
    }

    #[test]
    fn a_rule_has_its_target_last() {
        let rule = built(&[
            ("table", "filter".into()),
            ("chain", "INPUT".into()),
            ("jump", "ACCEPT".into()),
            ("match", "state".into()),
            ("connstate", "NEW".into()),
            ("dport", 80_i64.into()),
            ("proto", "tcp".into()),
            ("source", "!10.0.0.0/8".into()),
            ("comment", "some words".into()),
            ("save", true.into()),
            ("require_in", "x".into()),
        ]);
        let wanted = "-p tcp -m state --state NEW --dport 80 -m comment --comment \"some words\" \
                      ! --source 10.0.0.0/8 --jump ACCEPT";
        assert_eq!(rule.as_deref(), Ok(wanted));
    }

    #[test]
    fn several_ports_need_a_protocol() {
        let ports: Data = vec![80_i64.into(), 443_i64.into()].into();
        assert!(built(&[("dports", ports.clone())]).is_err());
        let rule =
            built(&[("dports", ports), ("proto", "!tcp".into()), ("j", "LOG".into()), ("log-prefix", "a b".into())]);
        assert_eq!(rule.as_deref(), Ok("! -p tcp -m multiport --dports 80,443 --j LOG --log-prefix \"a b\""));
    }
}
