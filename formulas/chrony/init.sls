# One clock for the whole cloud: nova, cassandra and galera all misbehave when clocks drift apart.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import chrony with context %}

chrony-package:
  pkg.installed:
    # On Debian the package takes the place of systemd-timesyncd: both provide `time-daemon`.
    - name: {{ chrony.package }}
{%- if chrony.version %}
    - version: {{ chrony.version|json }}
{%- endif %}

chrony-config:
  file.managed:
    - name: {{ chrony.config }}
    - source: salt://chrony/files/chrony.conf.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0644'
    # Parses the file and prints what it means: a typo never reaches the running daemon.
    - check_cmd: chronyd -p -f
    # AppArmor lets chronyd read its own directory and not /tmp, where the check would look else.
    - tmp_dir: {{ chrony.config_dir }}
    - require:
      - pkg: chrony-package

chrony-service:
  service.running:
    - name: {{ chrony.service }}
    - enable: True
    - watch:
      - file: chrony-config

{%- if chrony.wait_sync.enabled %}

# For hosts whose next step needs the right time (joining a galera cluster, issuing tokens).
chrony-synchronised:
  cmd.run:
    - name: chronyc waitsync {{ chrony.wait_sync.tries }} {{ chrony.wait_sync.max_offset }}
    - unless: chronyc waitsync 1 {{ chrony.wait_sync.max_offset }}
    - require:
      - service: chrony-service
{%- endif %}
