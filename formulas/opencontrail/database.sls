# What the control plane keeps its data in: ZooKeeper, Cassandra and, for analytics, Kafka. Apply to
# one host at a time: each apply ends when its nodes are back in their clusters.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import database, database_member with context %}
{%- set zookeeper = database.zookeeper %}
{%- set cassandra = database.cassandra %}
{%- set kafka = database.kafka %}

opencontrail-zookeeper-packages:
  pkg.installed:
    - pkgs: {{ zookeeper.packages|json }}

opencontrail-zookeeper-id:
  file.managed:
    - name: {{ zookeeper.config }}/myid
    - contents: '{{ database_member.id }}'
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: opencontrail-zookeeper-packages

opencontrail-zookeeper-config:
  file.managed:
    - name: {{ zookeeper.config }}/zoo.cfg
    - source: salt://opencontrail/files/zoo.cfg.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: opencontrail-zookeeper-packages

opencontrail-zookeeper-service:
  service.running:
    - name: {{ zookeeper.service }}
    - enable: True
    - watch:
      - file: opencontrail-zookeeper-id
      - file: opencontrail-zookeeper-config

{#- `srvr` answers with a mode only on a node that is in a quorum. #}
{%- set in_quorum = "timeout 5 bash -c 'exec 3<>/dev/tcp/" ~ database_member.address ~ "/2181 && echo srvr >&3 && grep -q ^Mode: <&3'" %}

opencontrail-zookeeper-ready:
  cmd.run:
    - name: {{ ('timeout ' ~ database.ready_timeout ~ ' sh -c "until ' ~ in_quorum ~ '; do sleep 2; done"')|json }}
    - unless: {{ in_quorum|json }}
    - require:
      - service: opencontrail-zookeeper-service
{%- if cassandra.enabled %}

opencontrail-cassandra-package:
  pkg.installed:
    - name: {{ cassandra.package }}
{%- if cassandra.version %}
    - version: {{ cassandra.version|json }}
{%- endif %}

opencontrail-cassandra-config:
  file.managed:
    - name: {{ cassandra.config }}
    - source: salt://opencontrail/files/cassandra.yaml.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: opencontrail-cassandra-package
{%- if cassandra.heap %}

opencontrail-cassandra-heap:
  file.managed:
    - name: /etc/default/cassandra
    - contents:
      - '# Written by the formula `opencontrail`. Changes made here are lost.'
      - MAX_HEAP_SIZE={{ cassandra.heap }}
      - HEAP_NEWSIZE=800M
    - mode: '0644'
    - watch_in:
      - service: opencontrail-cassandra-service
{%- endif %}

# Not two at a time: rows have three copies, and most of them must answer.
opencontrail-cassandra-service:
  service.running:
    - name: {{ cassandra.service }}
    - enable: True
    - require:
      - cmd: opencontrail-zookeeper-ready
    - watch:
      - file: opencontrail-cassandra-config

{%- set up_and_normal = "nodetool status | grep -q '^UN  *" ~ database_member.address|replace('.', '[.]') ~ " '" %}

opencontrail-cassandra-ready:
  cmd.run:
    - name: {{ ('timeout ' ~ database.ready_timeout ~ ' sh -c "until ' ~ up_and_normal ~ '; do sleep 2; done"')|json }}
    - unless: {{ up_and_normal|json }}
    - require:
      - service: opencontrail-cassandra-service
{%- endif %}
{%- if kafka.enabled %}

opencontrail-kafka-package:
  pkg.installed:
    - name: {{ kafka.package }}
{%- if kafka.version %}
    - version: {{ kafka.version|json }}
{%- endif %}

opencontrail-kafka-config:
  file.managed:
    - name: {{ kafka.config }}
    - source: salt://opencontrail/files/server.properties.j2
    - template: jinja
    - makedirs: True
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: opencontrail-kafka-package

opencontrail-kafka-service:
  service.running:
    - name: {{ kafka.service }}
    - enable: True
    - require:
      - cmd: opencontrail-zookeeper-ready
    - watch:
      - file: opencontrail-kafka-config
{%- endif %}
