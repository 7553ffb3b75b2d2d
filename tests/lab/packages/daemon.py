#!/usr/bin/python3
"""Stands for a daemon of Contrail: says on port @PORT@ which version it is, and what its host is to ZooKeeper, if anything."""
import http.server
import json
import os
import signal
import socket
import sys

VERSION = "@VERSION@"


def zookeeper():
    """`leader` or `follower`; None where there is no ZooKeeper, and as long as it is in no quorum."""
    try:
        with socket.create_connection(("127.0.0.1", 2181), timeout=2) as asked:
            asked.sendall(b"srvr")
            answer = asked.makefile().read()
    except OSError:
        return None
    return next((line.removeprefix("Mode: ") for line in answer.splitlines() if line.startswith("Mode: ")), None)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = {"version": VERSION, "host": socket.gethostname()}
        if role := zookeeper():
            answer["zookeeper"] = role
        body = (json.dumps(answer) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.ThreadingHTTPServer(("", @PORT@), Handler)
if "NOTIFY_SOCKET" in os.environ:  # `systemctl restart`, and so apt, returns when the port answers
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
server.serve_forever()
