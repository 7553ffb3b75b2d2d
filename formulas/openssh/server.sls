# The SSH server. It is the only way to most hosts of a cloud, so nothing here can lock people out
# by a typo: the new file is tried first, and the daemon is reloaded, never restarted.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server with context %}

openssh-server-package:
  pkg.installed:
    - name: {{ server.package }}
{%- if server.version %}
    - version: {{ server.version|json }}
{%- endif %}

# `sshd -t` wants it, and systemd only makes it while the service runs.
openssh-server-run:
  file.directory:
    - name: /run/sshd
    - user: root
    - group: root
    - mode: '0755'

{%- if server.banner %}

openssh-server-banner:
  file.managed:
    - name: /etc/ssh/banner
    - contents_pillar: openssh:server:banner
    - mode: '0644'
    - require_in:
      - file: openssh-server-config
{%- endif %}

openssh-server-config:
  file.managed:
    - name: {{ server.config }}
    - source: salt://openssh/files/sshd_config.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0600'
    - check_cmd: /usr/sbin/sshd -t -f
    - require:
      - pkg: openssh-server-package
      - file: openssh-server-run

openssh-server-service:
  service.running:
    - name: {{ server.service }}
    - enable: True
    # Sessions that are open stay open.
    - reload: True
    - watch:
      - file: openssh-server-config
{%- if grains['os_family'] == 'Debian' %}

# Since Ubuntu 22.10 systemd listens in sshd's place, on ports that it reads from the same file.
openssh-server-socket:
  cmd.run:
    - name: systemctl daemon-reload && systemctl restart ssh.socket
    - onlyif: systemctl is-enabled --quiet ssh.socket
    - onchanges:
      - file: openssh-server-config
    - require:
      - service: openssh-server-service
{%- endif %}
