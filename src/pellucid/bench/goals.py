"""What each ratio shall be: our CPU cost over theirs, so that lower is better.

Goals given as speed (bulk, threads) stand here as their inverse. A goal is judged by the median.
"""

from __future__ import annotations

GOALS: dict[tuple[str, str], float] = {
    ("tls13-ecdsa", "ssl"): 0.75,
    ("tls13-ecdsa", "pyopenssl"): 0.98,
    ("tls13-ecdsa-client", "ssl"): 0.70,
    ("tls13-ecdsa-client", "pyopenssl"): 1.02,
    ("tls13-ecdsa-server", "ssl"): 0.82,
    ("tls13-ecdsa-server", "pyopenssl"): 0.92,
    ("tls13-rsa", "ssl"): 0.82,
    ("tls13-rsa", "pyopenssl"): 0.98,
    ("tls13-mlkem", "pyopenssl"): 1.00,
    ("tls13-resume", "ssl"): 0.55,
    ("tls13-resume", "pyopenssl"): 0.88,
    ("tls12-ecdhe-rsa", "ssl"): 0.85,
    ("tls12-ecdhe-rsa", "pyopenssl"): 1.00,
    ("tls12-static-rsa", "ssl"): 0.82,
    ("tls12-static-rsa", "pyopenssl"): 0.95,
    ("tls13-ecdsa", "tlslite-ng"): 1 / 25,
    ("tls13-ecdsa", "siotls"): 1 / 3,
    ("tls13-ecdsa", "aioquic"): 1 / 2,
    ("bulk-16k-aes128gcm", "ssl"): 1 / 1.15,
    ("bulk-16k-aes128gcm", "ssl-one-read"): 1 / 0.95,
    ("bulk-16k-aes128gcm", "pyopenssl"): 1 / 1.8,
    ("bulk-16k-chacha20", "ssl"): 1 / 1.08,
    ("bulk-16k-chacha20", "pyopenssl"): 1 / 1.4,
    ("bulk-1k-aes128gcm", "ssl"): 1 / 1.4,
    ("bulk-1k-aes128gcm", "pyopenssl"): 1 / 3,
    ("bulk-100-aes128gcm", "ssl"): 1 / 1.4,
    ("bulk-100-aes128gcm", "pyopenssl"): 1 / 3,
    ("writes-64x100", "pellucid-flushed"): 1 / 10,
    ("asyncio-echo", "ssl"): 0.75,
    ("asyncio-up", "ssl"): 0.60,
    ("asyncio-down", "ssl"): 0.95,
    ("uvloop-echo", "ssl"): 1.0,
    ("uvloop-up", "ssl"): 0.55,
    ("uvloop-down", "ssl"): 1.0,
    ("blocking-echo", "ssl"): 1.05,
    ("blocking-up", "ssl"): 1.05,
    ("blocking-down", "ssl"): 1.05,
    ("tracing", "pellucid-untraced"): 1.10,
    ("recorder", "pellucid-untraced"): 1.10,
    ("tracing-off", "pellucid-bare"): 1.02,
    ("threads", "pellucid-one-thread"): 1 / 1.7,
}

FIGURES: dict[str, float] = {
    "memory-server": 8.0,  # KiB an idle connection
    "memory-client": 8.0,
    "memory-server-data": 8.0,
    "memory-client-data": 8.0,
}
"""Goals on our own figure, in the row's unit."""

ABOVE_FLOOR: dict[str, float] = {
    **{
        f"{row}-{side}": 200.0  # us of Python a side and full handshake
        for row in ("tls13-ecdsa", "tls13-rsa", "tls13-mlkem", "tls12-ecdhe-rsa", "tls12-static-rsa")
        for side in ("client", "server")
    },
    **{
        f"bulk-{size}-{cipher}-{half}": 3.0  # us a record
        for size in ("16k", "1k", "100")
        for cipher in ("aes128gcm", "aes256gcm", "chacha20")
        for half in ("seal", "open")
    },
}
"""Goals on what we spend above the primitives, in us."""
