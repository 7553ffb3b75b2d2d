# Makes a host such that every state of `all.sls` has something to change.
set -e
: >/run/asked
chmod 666 /run/asked
for program in a2disconf a2dismod a2dissite a2enconf a2enmod a2ensite crontab gem git htpasswd ip6tables ip6tables-save \
    iptables iptables-save locale-gen mysql ovs-vsctl pip psql rabbitmq-plugins rabbitmqctl; do
    ln -sf /usr/local/sbin/stand-in "/usr/local/sbin/$program"
done

mkdir -p /srv/p/tree /srv/p/tidy /srv/marks /var/spool/cron/crontabs /etc/apache2/sites-enabled /etc/apache2/mods-enabled \
    /etc/apache2/conf-enabled /etc/salt /etc/modules-load.d /root/.ssh
chmod 1777 /srv/marks
printf '#off\none\ntwo\n' >/srv/p/text
printf 'a = 1\n[s]\nb = 2\n' >/srv/p/ini
echo old >/srv/p/file
echo old >/srv/p/tidy/old
touch -d '2020-01-01' /srv/p/tidy/old
tar -C /srv/p -cf /srv/p/tree.tar tree text
printf '%s\n' '# Lines below here are managed by Salt, do not edit' OLD=1 '# SALT_CRON_IDENTIFIER:old' '0 1 * * * old' \
    >/var/spool/cron/crontabs/root
ln -sf ../old /etc/apache2/sites-enabled/old.conf
ln -sf ../old /etc/apache2/mods-enabled/old.load
ln -sf ../old /etc/apache2/conf-enabled/old.conf
echo lab_old >/etc/modules-load.d/salt_managed.conf
printf 'old:$apr1$x$y\n' >/srv/p/htpasswd
printf 'roles:\n- old\nold: 1\n' >/etc/salt/grains
printf 'old: root\n' >/etc/aliases
printf 'tmpfs /srv/old tmpfs rw 0 0\n' >>/etc/fstab
mkdir -p /srv/old
mountpoint -q /srv/old || mount -t tmpfs tmpfs /srv/old
printf '192.0.2.9 old\n' >>/etc/hosts
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzHkH9l2ZhbL0cEr0FzEb0zM3vVEmvMvqkVJ5Zbv0Ai old' >>/root/.ssh/authorized_keys
echo 'old.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzHkH9l2ZhbL0cEr0FzEb0zM3vVEmvMvqkVJ5Zbv0Ai' >>/root/.ssh/known_hosts
id old >/dev/null 2>&1 || useradd -m old
getent group olds >/dev/null || groupadd olds
id postgres >/dev/null 2>&1 || useradd postgres

for link in a b; do
    update-alternatives --quiet --install /usr/local/bin/choice choice "/bin/$([ $link = a ] && echo true || echo false)" 10
done
update-alternatives --quiet --set choice /bin/true

for unit in runs rests masked; do
    printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/lab-$unit.service
done
systemctl daemon-reload
systemctl --quiet enable --now lab-runs
rm /etc/systemd/system/lab-masked.service
systemctl --quiet mask lab-masked

apt-get -qq update
apt-get -qq -y --allow-downgrades install contrail-vrouter-agent=3.0.2 >/dev/null
apt-mark hold dpkg >/dev/null
echo 'deb [trusted=yes] http://192.0.2.1/old ./' >/etc/apt/sources.list.d/old.list
# What apt keeps to be quick is made anew by whoever asks it first.
apt-cache policy >/dev/null
