"""What is aimed at: a process that stands for the parent, with doors on every kind of socket.

    python -I -S victim.py FOLDER NAME

Prints what it listens on as JSON, then serves until its standard input closes.
"""

import json
import os
import selectors
import signal
import socket
import sys

folder, name = sys.argv[1:]
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
os.chdir(folder)
tcp = socket.create_server(("127.0.0.1", 0))
try:
    tcp6 = socket.create_server(("::1", 0), family=socket.AF_INET6)
except OSError:
    tcp6 = None
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0" + name)
abstract.listen()
door = socket.socket(socket.AF_UNIX)
door.bind(folder + "/door")
os.chmod(folder + "/door", 0o777)
door.listen()
with open("/proc/self/stat") as file:
    start = file.read().rpartition(")")[2].split()[19]
told = {
    "victim": os.getpid(),
    "start": start,
    "tcp": tcp.getsockname()[1],
    "tcp6": tcp6.getsockname()[1] if tcp6 else 9,
    "udp": udp.getsockname()[1],
    "abstract": name,
    "door": folder + "/door",
}
print(json.dumps(told), flush=True)
waiting = selectors.DefaultSelector()
waiting.register(udp, selectors.EVENT_READ)
waiting.register(sys.stdin, selectors.EVENT_READ)
while True:
    for key, _ in waiting.select():
        if key.fileobj is sys.stdin:
            sys.exit()
        udp.sendto(b"pong", udp.recvfrom(16)[1])
