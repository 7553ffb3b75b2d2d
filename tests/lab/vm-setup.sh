#!/bin/sh
# Run in a host as `vm-setup.sh ADDRESS MAC`: a tenant workload with an address of its own in a network namespace of its own
# (a macvlan on eth0), which answers ping, and HTTP on port 80.  A service apart, so that no daemon's restart touches it; a
# reboot of the host ends it and starts it again.
set -eu
cat >/usr/local/sbin/lab-vm.py <<'P'
import http.server, os, socket

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("", 80), Handler)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
server.serve_forever()
P
cat >/usr/local/sbin/lab-vm <<S
#!/bin/sh
ip netns del vm1 2>/dev/null
set -e
ip netns add vm1
ip link add vm0 link eth0 type macvlan mode bridge
ip link set vm0 netns vm1 name eth0 address $2
ip -n vm1 addr add $1/16 dev eth0
ip -n vm1 link set lo up
ip -n vm1 link set eth0 up
exec ip netns exec vm1 python3 /usr/local/sbin/lab-vm.py
S
chmod 755 /usr/local/sbin/lab-vm
cat >/etc/systemd/system/lab-vm.service <<'U'
[Unit]
Description=A tenant's workload

[Service]
Type=notify
ExecStart=/usr/local/sbin/lab-vm

[Install]
WantedBy=multi-user.target
U
systemctl daemon-reload
systemctl enable --quiet --now lab-vm
