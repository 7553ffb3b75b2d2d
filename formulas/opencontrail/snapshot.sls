# What backs up a node of Cassandra. In a pipeline, after this was applied:
#     backup = { engine = "command", name = "cassandra", save = "cassandra-snapshot save", load = "cassandra-snapshot load" }
opencontrail-cassandra-snapshot:
  file.managed:
    - name: /usr/local/sbin/cassandra-snapshot
    - source: salt://opencontrail/files/cassandra-snapshot.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0755'
