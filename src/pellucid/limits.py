"""Every limit of pellucid, with its precedent. RFC 8446 sections 5.1, 5.2, 5.5, 4.6.1, 4.2.10.

Each is tested at the limit and one past it. Sizes are bytes unless the name says otherwise.
"""

from __future__ import annotations

MAX_PLAINTEXT = 2**14  # RFC 8446 5.1: TLSPlaintext.length
MAX_CIPHERTEXT_13 = 2**14 + 256  # RFC 8446 5.2: TLSCiphertext.length
MAX_CIPHERTEXT_12 = 2**14 + 2048  # RFC 5246 6.2.3: TLSCiphertext.length

MAX_HANDSHAKE_MESSAGE = 2**16  # rustls 64 KiB, Go 64 KiB; Certificate has its own limit
MAX_CERTIFICATE_MESSAGE = 100_000  # OpenSSL's and BoringSSL's max_cert_list: 100 KiB; Go: 256 KiB
MAX_CERTIFICATES = 10  # OpenSSL's and mbedTLS's default depth
MIN_RSA_BITS = 2048  # CA/Browser Forum BR 6.1.5; rustls 2048; OpenSSL's security level 2: 2048
MAX_RSA_BITS = 8192  # Go 8192 (CVE-2023-29409); rustls 8192
MAX_RSA_EXPONENT = 2**32 - 1  # rustls-webpki (ring) 2**33 - 1, Go 2**31 - 1; a longer one only costs time
MAX_INTERMEDIATES = 8  # cryptography's default max_chain_depth; rustls-webpki 6
MAX_SIGNATURE_CHECKS = 100  # on the way to one path: rustls-webpki 100, Go 100
MAX_NAME_CHECKS = 2**15  # names times constraints: half a second; rustls-webpki and Go, compiled, 250,000
MAX_OCSP_RESPONSE = 2**16 - 1  # Go crypto/tls and NSS take what the message holds; real ones have 0.5-2 KiB
MAX_CLOCK_SKEW = 300  # seconds, for OCSP responses and CRLs: OpenSSL's OCSP_check_validity default, NSS a day

MAX_EMPTY_RECORDS = 32  # BoringSSL 32, rustls 32, Go 16 useless records
MAX_WARNING_ALERTS = 4  # BoringSSL 4, rustls 4; TLS 1.2 only
MAX_KEY_UPDATES = 32  # without application data between them: BoringSSL 32, rustls 32
MAX_CHANGE_CIPHER_SPECS = 32  # BoringSSL 32, rustls 2; TLS 1.3's middlebox compatibility only
MAX_HELLO_REQUESTS = 1  # rustls 1 renegotiation request
MAX_TICKETS_RECEIVED = 32  # BoringSSL's client takes 32 post-handshake messages in a row
MAX_SKIPPED_EARLY_DATA = 16_384  # BoringSSL kMaxEarlyDataSkipped

MAX_TICKET_LIFETIME = 604_800  # seconds; RFC 8446 4.6.1: seven days
MAX_IDENTITIES_TRIED = 8  # pre-shared keys of one ClientHello: each may cost a decryption, or a look-up
EARLY_DATA_WINDOW = 10  # seconds either way; RFC 8446 8.3 suggests ten

# Records under one key: RFC 8446 5.5 says 2**24.5 full-size records for AES-GCM; we stop sooner.
MAX_RECORDS_GCM = 2**24
MAX_RECORDS_CCM = 2**23  # RFC 9147 4.5.3 says 2**23 for CCM
MAX_RECORDS_CHACHA = 2**62  # only the sequence number limits ChaCha20-Poly1305
