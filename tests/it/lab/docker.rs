//! The states of Docker with a real daemon, which pulls from a real registry.

use super::Site;

/// A registry with an image that has one program, which the daemon has not.
const REGISTRY: &str = "set -e
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/docker-registry}}\nhttp: {addr: 0.0.0.0:5000}\n' >/etc/docker/registry/config.yml
systemctl restart docker-registry
mkdir -p /root/box/bin; cp /bin/busybox /root/box/bin; ln -s busybox /root/box/bin/sleep; ln -s busybox /root/box/bin/true
tar -C /root/box -c . | docker import -c 'ENV PATH=/bin MODE=image' -c 'CMD [\"sleep\", \"600\"]' - localhost:5000/box:1";

/// Settings of every shape, so that the daemon's own words for each are met.
const BOX: &str = "
localhost:5000/box:1:
  docker_image.present: []
back:
  docker_network.present:
    - subnet: 198.18.7.0/24
    - labels: {team: cloud}
data:
  docker_volume.present: []
web:
  docker_container.running:
    - image: localhost:5000/box:1
    - hostname: web
    - environment: [MODE: top-secret]
    - labels: {team: cloud}
    - binds: ['data:/data', '/etc/hostname:/name:ro']
    - port_bindings: ['127.0.0.1:8080-8081:80-81', '53/udp']
    - networks: [back]
    - restart_policy: on-failure:3
    - mem_limit: 64M
    - cap_add: [CAP_NET_ADMIN]
    - cap_drop: MKNOD
    - dns: [192.0.2.53]
    - extra_hosts: ['db:192.0.2.7']
    - devices: ['/dev/null:/dev/nothing']
    - ulimits: [nofile=1024:2048]
    - tmpfs: [/run: 'size=1m,noexec']
    - sysctls: {net.core.somaxconn: 512}
    - security_opt: [no-new-privileges]
    - log_driver: json-file
    - log_opt: [max-size: 1m]
    - shutdown_timeout: 1
    - require: [docker_image: 'localhost:5000/box:1', docker_network: back, docker_volume: data]
beside:
  docker_container.running:
    - image: localhost:5000/box:1
    - network_mode: container:web
    - pid_mode: host
    - security_opt: [seccomp=unconfined]
    - shutdown_timeout: 1
    - require: [docker_container: web]
";

const GONE: &str = "
containers:
  docker_container.absent:
    - names: [web, beside]
    - force: true
back:
  docker_network.absent:
    - require: [docker_container: containers]
data:
  docker_volume.absent:
    - require: [docker_container: containers]
localhost:5000/box:1:
  docker_image.absent:
    - require: [docker_container: containers]
";

const ALL: &str = "docker ps -aq; docker images -q; docker volume ls -q; docker network ls -qf type=custom";

#[test]
fn containers_are_what_they_are_to_be_with_a_real_daemon() {
    let site = Site::of(1);
    site.lab(["debian", "docker.io", "docker-registry", "iptables", "busybox-static"]);
    let host = &site.hosts[0];
    site.install(host, "docker.io docker-registry iptables busybox-static");
    site.until(host, "docker version");
    site.inside(host, REGISTRY);
    site.until(host, "docker push -q localhost:5000/box:1");
    site.inside(host, "docker rmi localhost:5000/box:1");
    site.sandbox.write("formulas/box/init.sls", BOX);
    site.sandbox.write("formulas/box/gone.sls", GONE);
    let docker = |command: &str| site.inside(host, &format!("docker {command}"));

    let preview = site.upshift(["apply", "cmp", "box", "--preview"]).with(0);
    assert!(preview.out.contains("Container 'web' would be created"), "{}", preview.out);
    assert_eq!(site.inside(host, ALL), "");

    let made = site.upshift(["apply", "cmp", "box"]).with(0);
    assert!(made.out.contains("5 states: 5 changed"), "{}", made.out);
    // A limit that this kernel does not have is said once, and is no reason to make the container anew.
    assert!(made.out.contains("Docker warns: Your kernel does not support memory limit"), "{}", made.out);
    assert!(!format!("{preview:?}{made:?}").contains("top-secret"));
    let fields = "{{.State.Running}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.CapAdd}} {{.Path}}";
    assert_eq!(docker(&format!("inspect -f '{fields}' web")), "true on-failure [NET_ADMIN] sleep");
    assert_eq!(docker("port web 81"), "127.0.0.1:8081");
    assert_eq!(docker("exec web busybox env | grep MODE"), "MODE=top-secret");
    let again = site.upshift(["apply", "cmp", "box"]).with(0);
    assert!(again.out.contains("5 states: 5 unchanged"), "{}", again.out);

    // What was stopped is started; what is to be otherwise is made anew.
    let first = docker("inspect -f '{{.Id}}' web");
    docker("stop -t 0 web");
    site.upshift(["apply", "cmp", "box"]).with(0);
    assert_eq!(docker("inspect -f '{{.Id}} {{.State.Running}}' web"), format!("{first} true"));
    site.sandbox.write("formulas/box/init.sls", &BOX.replace("max-size: 1m", "max-size: 2m"));
    let other = site.upshift(["apply", "cmp", "box"]).with(0);
    assert!(other.out.contains("Replaced container 'web'"), "{}", other.out);
    assert_eq!(docker("ps -aq --no-trunc --filter name=web").lines().filter(|id| *id == first).count(), 0);
    let again = site.upshift(["apply", "cmp", "box"]).with(0);
    assert!(again.out.contains("5 states: 5 unchanged"), "{}", again.out);

    // The daemon takes the beginning of an ID for its container: a container of that name is not there all the same.
    let second = docker("inspect -f '{{.Id}}' web");
    let name = second.split_at(3).0;
    let absent = format!("{name:?}:\n  docker_container.absent: [{{force: true}}]\n");
    site.sandbox.write("formulas/box/other.sls", &absent);
    let kept = site.upshift(["apply", "cmp", "box.other"]).with(0);
    assert!(kept.out.contains("1 state: 1 unchanged"), "{}", kept.out);
    assert_eq!(docker("inspect -f '{{.State.Running}}' web"), "true");

    // One that ends at once does not run.
    let ends = "short:\n  docker_container.running:\n    - image: localhost:5000/box:1\n    - command: 'true'\n";
    site.sandbox.write("formulas/box/other.sls", ends);
    let ended = site.upshift(["apply", "cmp", "box.other"]).with(10);
    assert!(ended.out.contains("Container is not running"), "{}", ended.out);
    docker("rm short");

    let gone = site.upshift(["apply", "cmp", "box.gone"]).with(0);
    assert!(gone.out.contains("5 states: 5 changed"), "{}", gone.out);
    assert_eq!(site.inside(host, ALL), "");
    site.upshift(["apply", "cmp", "box.gone"]).with(0);
    site.lab(["reset", host]);
}
