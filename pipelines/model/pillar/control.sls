# Control hosts: ZooKeeper and the control node. The pipeline says which version.
opencontrail:
  roles: [database, control]
  database:
    zookeeper: {heap: 64m}
    cassandra: {enabled: false}
    ready_timeout: 2m
  identity: {url: 'http://198.18.1.2:35357/v3', password: not-a-secret}
  control:
    packages: [contrail-control]
    services: [contrail-control]
    message_bus: {hosts: [198.18.1.2], password: not-a-secret}
    ifmap_password: not-a-secret
    verify_url: http://127.0.0.1:8083/
