# Is keystone well? Changes nothing; used before an upgrade and after it.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server with context %}

{%- for service in server.services %}

keystone-verify-{{ service }}:
  cmd.run:
    - name: systemctl is-active {{ service }} && printf '\nchanged=no\n'
    - stateful: True
    - require_in:
      - cmd: keystone-verify-api
{%- endfor %}

# Python, because every host of OpenStack has it, which cannot be said of curl.
keystone-verify-api:
  cmd.run:
    - name: python3 -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=10)' {{ server.verify_url }} && printf '\nchanged=no\n'
    - stateful: True
    - retry:
        attempts: 10
        interval: 3

# Database, keys and cache, all in one.
keystone-verify-token:
  cmd.run:
    - name: . {{ server.rc }} && openstack token issue -f value -c expires && printf '\nchanged=no\n'
    - stateful: True
    - onlyif: test -r {{ server.rc }}
    - require:
      - cmd: keystone-verify-api
    - retry:
        attempts: 3
        interval: 5
