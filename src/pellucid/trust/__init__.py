"""Who is believed: identities, path validation, names, revocation, and a small authority.

RFC 5280 (certificates), RFC 9525 (names), RFC 6960 (OCSP), RFC 7633 (must-staple). The path is
validated by `cryptography.x509.verification`; this package chooses the policy, adds what is not
in it, and says in plain words why a chain was refused.

* `identity`: a certificate chain with its private key or signer.
* `verification`: `Trust`, which believes a peer's chain or refuses it by name.
* `names`: host names and IP addresses, and which certificate fits which.
* `profile`: the rules of the two profiles, "webpki" and "rfc5280".
* `path`, `constraints`, `diagnosis`: RFC 5280 section 6 in Python, to explain a refusal.
* `roots`: the system's authorities.
* `revocation`: OCSP staples and CRLs.
* `authority`: a certificate authority of your own, in memory or in a folder.
* `description`: what a certificate says, in words.
"""
