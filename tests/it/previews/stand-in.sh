#!/bin/sh
# Stands in for a program that the hosts of the lab do not have: answers what a preview may ask, and leaves a mark for
# everything else, which is a change. Named by the link that it is called by.
name=${0##*/}
input=
[ -p /dev/stdin ] && input=$(cat)
printf '%s\n' "$name $* $input" >>/run/asked

mark() {
    printf '%s\n' "$name $* $input" >"/srv/marks/$name-$$"
}

case "$name $*" in
    "gem list "*) echo 'old (1.0)' ;;
    "pip list --format=json --outdated") echo '[{"name": "old", "version": "1.0"}]' ;;
    "pip list "*) echo '[{"name": "old", "version": "1.0"}]' ;;
    "pip --version") echo 'pip 23.0 from /usr/lib (python 3.11)' ;;
    "git --version") echo 'git version 2.39.2' ;;
    "git "*ls-remote*) printf '%040d\tHEAD\n%040d\trefs/heads/master\n' 1 1 ;;
    "git config "*--get-regexp*old*) echo 'user.old me' ;;
    "git config "*--get-all*old*) echo me ;;
    "git "*"config "*"--get-all"* | "git "*"config "*"--get-regexp"*) exit 1 ;;
    "iptables-save "* | ip6tables-save*) printf '*filter\n:INPUT ACCEPT [0:0]\n:old - [0:0]\n-A INPUT -p tcp -j old\nCOMMIT\n' ;;
    "iptables "*" -C "*"--dport 22 "*) exit 0 ;;
    "iptables "*" -C "*) exit 1 ;;
    "iptables "*" -S"* | "iptables --version") echo 'iptables v1.8.9' ;;
    "ovs-vsctl "*" list-br") echo br-old ;;
    "ovs-vsctl "*" list-ports br-old") echo port-old ;;
    "ovs-vsctl "*" port-to-br port-old") echo br-old ;;
    "rabbitmqctl "*list_users*) echo '[{"user": "old", "tags": []}]' ;;
    "rabbitmqctl "*list_vhosts*) echo '[{"name": "/"}, {"name": "/old"}]' ;;
    "rabbitmqctl "*list_policies*) echo '[{"vhost": "/", "name": "old", "pattern": ".*", "apply-to": "all", "definition": "{}", "priority": 0}]' ;;
    "rabbitmqctl "*list_user_permissions*) echo '[]' ;;
    "rabbitmqctl "*cluster_status*) echo '[{nodes,[{disc,[rabbit@here]}]}]' ;;
    "rabbitmq-plugins list "*) echo rabbitmq_old ;;
    "htpasswd -iv "*) exit 3 ;;
    "mysql "*)
        case "$input" in
            *"SHOW GRANTS FOR 'old'"*) printf '10.11.6-MariaDB\nGRANT SELECT ON `old`.* TO `old`@`localhost`\n' ;;
            *"SHOW GRANTS"*) echo 10.11.6-MariaDB ;;
            *"the version"*) printf 'the version\tis there\n10.11.6-MariaDB\t0\n' ;;
            *"'old'"*) printf 'DEFAULT_CHARACTER_SET_NAME\tDEFAULT_COLLATION_NAME\nutf8mb4\tutf8mb4_general_ci\n' ;;
        esac
        # Questions are SELECT and SHOW, and what a session says of itself is SET SESSION.
        if printf '%s\n' "$input" | grep -qE '^ *(ALTER|CREATE|DELETE|DROP|FLUSH|GRANT|INSERT|RENAME|REVOKE|SET PASSWORD|UPDATE)'; then
            mark "$@"
        fi
        ;;
    "psql "*)
        case "$input" in
            *"'old'"*acl* | *acl*"'old'"*) printf 'owner,acl,version\nold,,150000\n' ;;
            *"'old'"*) printf 'name\nold\n' ;;
            *) echo name ;;
        esac
        # Every question is a COPY to standard output.
        case "$input" in
            "COPY ("*") TO STDOUT WITH CSV HEADER;") ;;
            *) mark "$@" ;;
        esac
        ;;
    *) mark "$@" ;;
esac
