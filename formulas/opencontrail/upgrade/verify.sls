# Is OpenContrail well on this host? Changes nothing; used before an upgrade and after it.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import roles, control, compute, services with context %}
{#- Python, because every host of OpenStack has it, which cannot be said of curl. #}
{%- set get = "python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())' " %}

{%- for service in services %}

opencontrail-verify-{{ service }}:
  cmd.run:
    - name: systemctl is-active {{ service }} && printf '\nchanged=no\n'
    - stateful: True
{%- endfor %}
{%- if 'control' in roles %}
{%- for what, url in [('api', control.verify_url), ('control-node', control.introspect_url)] %}

opencontrail-verify-answers-{{ what }}:
  cmd.run:
    - name: {{ (get ~ url ~ " >/dev/null && printf '\\nchanged=no\\n'")|json }}
    - stateful: True
    - retry:
        attempts: 20
        interval: 3
{%- endfor %}
{%- endif %}
{%- if 'compute' in roles %}

opencontrail-verify-answers-agent:
  cmd.run:
    - name: {{ (get ~ compute.verify_url ~ " >/dev/null && printf '\\nchanged=no\\n'")|json }}
    - stateful: True
    - retry:
        attempts: 20
        interval: 3
{%- if compute.verify_xmpp %}

# The agent is connected to a control node: without one it forwards what it knows, and no more.
opencontrail-verify-xmpp:
  cmd.run:
    - name: {{ (get ~ compute.verify_url ~ "Snh_AgentXmppConnectionStatusReq | grep -q Established && printf '\\nchanged=no\\n'")|json }}
    - stateful: True
    - require:
      - cmd: opencontrail-verify-answers-agent
    - retry:
        attempts: 20
        interval: 3
{%- endif %}
{%- if compute.kernel_module.manage %}

# Says whether a reboot is still to come; that is no failure.
opencontrail-verify-module:
  cmd.run:
    - name: |-
        loaded=$(cat /sys/module/{{ compute.kernel_module.name }}/srcversion) || exit 1
        if [ "$loaded" = "$(modinfo -F srcversion {{ compute.kernel_module.name }})" ]; then
            printf "\nchanged=no comment='the loaded module is the installed one'\n"
        else
            printf "\nchanged=no comment='the installed module is newer than the loaded one, reboot to load it'\n"
        fi
    - stateful: True
{%- endif %}
{%- endif %}
