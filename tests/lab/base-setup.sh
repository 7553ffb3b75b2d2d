#!/bin/sh
# mmdebstrap's customize hook: $1 is the image's root.  What makes a host of the lab, and what saves it work at every boot.
set -eu
R=$1

# Nothing of the machine or of the building.
rm -f "$R"/etc/ssh/ssh_host_* "$R/etc/apt/sources.list" "$R/etc/apt/apt.conf.d/99mmdebstrap" "$R/var/lib/dbus/machine-id"
: >"$R/etc/machine-id"

# People: root and these, all with the lab's one key, which `up` puts into /etc/ssh/authorized_keys.
# Debian has a group `operator` already, and so no `operator` of its own can be made with the user.
chroot "$R" useradd -m -s /bin/bash -g operator operator
chroot "$R" useradd -m -s /bin/bash plain
echo 'operator ALL=(ALL:ALL) NOPASSWD: ALL' >"$R/etc/sudoers.d/operator"
chmod 440 "$R/etc/sudoers.d/operator"

mkdir -p "$R/etc/ssh/sshd_config.d"
cat >"$R/etc/ssh/sshd_config.d/lab.conf" <<'S'
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
UseDNS no
S
# No message of the day to put together at each login.
sed -i '/pam_motd\|pam_mail/d' "$R/etc/pam.d/sshd"

# Nothing listens there, so a question to the DNS is refused at once; a dead server costs apt 10 s.
echo 'nameserver 127.0.0.1' >"$R/etc/resolv.conf"
echo 'deb [trusted=yes] http://lab-repo/ ./' >"$R/etc/apt/sources.list"
cat >"$R/etc/apt/apt.conf.d/99lab" <<'S'
Acquire::Languages "none";
Acquire::Retries "0";
Acquire::http::Timeout "15";
APT::Install-Recommends "false";
S
echo force-unsafe-io >"$R/etc/dpkg/dpkg.cfg.d/lab"

# Nothing is preconfigured (apt-utils is not here to do it, and says so at every install).
rm -f "$R/etc/apt/apt.conf.d/70debconf"

# systemd: the journal in memory, quick stops, and no unit that has nothing to do here.
mkdir -p "$R/etc/systemd/journald.conf.d" "$R/etc/systemd/system.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\nRuntimeMaxFileSize=2M\nForwardToSyslog=no\n' >"$R/etc/systemd/journald.conf.d/lab.conf"
printf '[Manager]\nDefaultTimeoutStopSec=15s\n' >"$R/etc/systemd/system.conf.d/lab.conf"
for unit in console-getty.service getty@tty1.service getty.target \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
  systemd-sysctl.service systemd-modules-load.service systemd-udevd.service systemd-remount-fs.service systemd-pstore.service \
  systemd-timesyncd.service sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount modprobe@.service \
  systemd-sysusers.service systemd-tmpfiles-setup-dev.service systemd-journal-flush.service systemd-update-utmp-runlevel.service; do
  ln -sf /dev/null "$R/etc/systemd/system/$unit"
done
rm -f "$R/lib/systemd/system/multi-user.target.wants/systemd-logind.service" # dbus starts it when somebody asks for it
# sshd reads its configuration once, not twice, at a start.
mkdir -p "$R/etc/systemd/system/ssh.service.d"
printf '[Service]\nExecStartPre=\n' >"$R/etc/systemd/system/ssh.service.d/lab.conf"
