# haproxy in front of APIs and databases. A new file is tried before it takes the old one's place,
# and then loaded without dropping connections.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import haproxy with context %}

haproxy-package:
  pkg.installed:
    - name: {{ haproxy.package }}
{%- if haproxy.version %}
    - version: {{ haproxy.version|json }}
{%- endif %}

{%- if haproxy.nonlocal_bind %}

# The host that does not hold the virtual address now must be able to start as well.
haproxy-nonlocal-bind:
  sysctl.present:
    - name: net.ipv4.ip_nonlocal_bind
    - value: 1
    - config: /etc/sysctl.d/60-haproxy.conf
    - require_in:
      - service: haproxy-service
{%- endif %}

haproxy-certificates:
  file.directory:
    - name: {{ haproxy.certificate_dir }}
    - user: root
    - group: {{ haproxy.group }}
    - mode: '0750'
    - require:
      - pkg: haproxy-package

{%- for name in haproxy.certificates %}

haproxy-certificate-{{ name }}:
  file.managed:
    - name: {{ haproxy.certificate_dir }}/{{ name }}.pem
    - contents_pillar: haproxy:certificates:{{ name }}:pem
    # The private key is in it.
    - show_changes: False
    - user: root
    - group: {{ haproxy.group }}
    - mode: '0640'
    - require:
      - file: haproxy-certificates
    # The configuration names it, and is checked with it.
    - require_in:
      - file: haproxy-config
    - watch_in:
      - service: haproxy-service
{%- endfor %}

haproxy-config:
  file.managed:
    - name: {{ haproxy.config }}
    - source: salt://haproxy/files/haproxy.cfg.j2
    - template: jinja
    - user: root
    - group: {{ haproxy.group }}
    - mode: '0640'
{%- if haproxy.stats.enabled %}
    # The password of the statistics page is in it.
    - show_changes: False
{%- endif %}
    - check_cmd: haproxy -c -f
    - require:
      - pkg: haproxy-package
      - file: haproxy-certificates

haproxy-service:
  service.running:
    - name: {{ haproxy.service }}
    - enable: True
    - reload: True
    - watch:
      - file: haproxy-config
