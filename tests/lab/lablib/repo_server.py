"""repo_server.py ADDRESS LAB_DIR: serves LAB_DIR/repo to the hosts, as badly as LAB_DIR/knobs says."""
import http.server
import os
import sys
import time

ADDRESS, LAB_DIR = sys.argv[1:]


def knob(name):
    try:
        with open(os.path.join(LAB_DIR, "knobs", name)) as f:
            return float(f.read())
    except (OSError, ValueError):
        return 0


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args):
        super().__init__(*args, directory=os.path.join(LAB_DIR, "repo"))

    def do_GET(self):
        time.sleep(knob("delay"))
        status = int(knob("fail"))
        if status:
            self.send_error(status)
        else:
            super().do_GET()

    def copyfile(self, source, output):
        rate = knob("rate")
        if not rate:
            return super().copyfile(source, output)
        while True:
            piece = source.read(max(1, int(rate * 100)))
            if not piece:
                return None
            output.write(piece)
            output.flush()
            time.sleep(0.1)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


Server((ADDRESS, 80), Handler).serve_forever()
