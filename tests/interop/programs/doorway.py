"""Runs inside a network namespace: starts a server there and passes connections on to it.

Usage: doorway.py DESCRIPTOR PORT COMMAND...   DESCRIPTOR is a listening socket of the outer network,
inherited; the command listens on PORT of the inner one, whose loopback interface this program brings up.
"""

import contextlib
import fcntl
import socket
import struct
import subprocess
import sys
import threading

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0))
        (flags,) = struct.unpack_from("H", answer, 16)
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def pass_on(outside: socket.socket, port: int) -> None:
    with outside, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as inside:
        inside.settimeout(None)
        back = threading.Thread(target=pump, args=(inside, outside), daemon=True)
        back.start()
        pump(outside, inside)
        back.join(60)


def main() -> None:
    descriptor, port, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    loopback_up()
    child = subprocess.Popen(command)
    door = socket.socket(fileno=descriptor)

    def accept() -> None:
        while True:
            outside, _ = door.accept()
            threading.Thread(target=pass_on, args=(outside, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.exit(child.wait())


if __name__ == "__main__":
    main()
