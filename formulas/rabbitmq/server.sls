# RabbitMQ, alone or as a node of a cluster. Apply to the seed first, then to one host at a time.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server, cluster, seed_node, is_seed with context %}

rabbitmq-server-package:
  pkg.installed:
    - name: {{ server.package }}
{%- if server.version %}
    - version: {{ server.version|json }}
{%- endif %}

{%- if cluster.members %}

# The package starts with a cookie of its own, and a node whose cookie changes under it can no
# longer be talked to, not even to stop it. So it stops first, and only if the cookie will change.
rabbitmq-server-stopped:
  service.dead:
    - name: {{ server.service }}
    - require:
      - pkg: rabbitmq-server-package
    - prereq:
      - file: rabbitmq-server-cookie

rabbitmq-server-cookie:
  file.managed:
    - name: /var/lib/rabbitmq/.erlang.cookie
    - contents_pillar: rabbitmq:server:cluster:cookie
    - show_changes: False
    - user: {{ server.user }}
    - group: {{ server.user }}
    # Erlang refuses a cookie that others could read.
    - mode: '0400'
    - require:
      - pkg: rabbitmq-server-package
    - require_in:
      - service: rabbitmq-server-service
{%- endif %}

rabbitmq-server-plugins:
  file.managed:
    - name: /etc/rabbitmq/enabled_plugins
    - contents: '[{{ server.plugins|join(',') }}].'
    - user: root
    - group: {{ server.user }}
    - mode: '0644'
    - require:
      - pkg: rabbitmq-server-package

rabbitmq-server-config:
  file.managed:
    - name: /etc/rabbitmq/rabbitmq.conf
    - source: salt://rabbitmq/files/rabbitmq.conf.j2
    - template: jinja
    - user: root
    - group: {{ server.user }}
    - mode: '0644'
    - require:
      - pkg: rabbitmq-server-package

rabbitmq-server-limits:
  file.managed:
    - name: /etc/systemd/system/rabbitmq-server.service.d/upshift.conf
    - source: salt://rabbitmq/files/limits.conf
    - makedirs: True
    - user: root
    - group: root
    - mode: '0644'

rabbitmq-server-limits-loaded:
  cmd.run:
    - name: systemctl daemon-reload
    - onchanges:
      - file: rabbitmq-server-limits

rabbitmq-server-service:
  service.running:
    - name: {{ server.service }}
    - enable: True
    - require:
      - cmd: rabbitmq-server-limits-loaded
    - watch:
      - file: rabbitmq-server-plugins
      - file: rabbitmq-server-config

{%- if not is_seed %}

# Joining forgets what this node had. A node that knows the seed has joined before, also when the
# seed is down just now.
rabbitmq-server-joined:
  cmd.run:
    - name: |-
        rabbitmqctl await_startup && rabbitmqctl stop_app || exit 1
        rabbitmqctl join_cluster {{ seed_node }}; joined=$?
        rabbitmqctl start_app && exit $joined
    - unless: rabbitmqctl cluster_status | grep -qw {{ seed_node }}
    - require:
      - service: rabbitmq-server-service
{%- else %}

# Users, permissions and policies as one file: no password is on a command line.
rabbitmq-server-definitions:
  file.managed:
    - name: /etc/rabbitmq/definitions.json
    - source: salt://rabbitmq/files/definitions.json.j2
    - template: jinja
    - show_changes: False
    - user: root
    - group: {{ server.user }}
    - mode: '0640'
    - require:
      - pkg: rabbitmq-server-package

# Remembers what it imported, so that an import that failed is made up for by the next apply.
rabbitmq-server-definitions-imported:
  cmd.run:
    - name: rabbitmqctl await_startup && rabbitmqctl import_definitions /etc/rabbitmq/definitions.json && sha256sum /etc/rabbitmq/definitions.json > /var/lib/rabbitmq/.definitions.sha256
    - unless: sha256sum --check --status /var/lib/rabbitmq/.definitions.sha256
    - require:
      - service: rabbitmq-server-service
      - file: rabbitmq-server-definitions

{%- if not server.keep_guest %}

rabbitmq-server-guest-absent:
  cmd.run:
    - name: rabbitmqctl delete_user guest
    - onlyif: rabbitmqctl list_users --quiet | grep -qw guest
    - require:
      - cmd: rabbitmq-server-definitions-imported
{%- endif %}
{%- endif %}
