"""BoringSSL's compliance policies: one flag stands for versions, suites, groups and signatures.

SP 800-52r2 (FIPS), WPA3 section 3.5, RFC 9151 (CNSA 1.0), draft-becker-cnsa2-tls-profile (CNSA 2.0).
"""

from __future__ import annotations

from dataclasses import dataclass

from bogo.flags import Settings


@dataclass(frozen=True)
class Compliance:
    """What a policy allows, in its order of preference; None leaves it to the other flags.

    Attributes:
        suites13, suites12: cipher suites; no suites of TLS 1.2 means no TLS 1.2.
        groups: key exchange groups.
        schemes: signatures, ours and the peer's.
        own_order: a server's own order decides.
    """

    suites13: tuple[int, ...]
    suites12: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None
    own_order: bool = False


POLICIES = {
    "fips-202205": Compliance(
        (0x1301, 0x1302),
        (0xC02B, 0xC02F, 0xC02C, 0xC030),
        (23, 24),
        (0x0401, 0x0501, 0x0601, 0x0403, 0x0503, 0x0804, 0x0805, 0x0806),
    ),
    "wpa-202304": Compliance((0x1302,), (0xC02C, 0xC030), (24,), (0x0501, 0x0601, 0x0503, 0x0805, 0x0806)),
    "cnsa-202407": Compliance((0x1302, 0x1301, 0x1303), own_order=True),
    "cnsa1-202603": Compliance(
        (0x1302,), (0xC02C, 0xC030), (0x0202, 24), (0x0503, 0x0805, 0x0501), own_order=True
    ),
    "cnsa2-202603": Compliance((0x1302,), (), (0x0202,), (0x0503, 0x0805), own_order=True),
}


def compliance_of(settings: Settings) -> Compliance | None:
    """The policy that the flags name, if they do."""
    return next((policy for flag, policy in POLICIES.items() if settings[flag]), None)


def own_order(settings: Settings) -> bool:
    """Whether a server's own order decides, not the client's."""
    policy = compliance_of(settings)
    return bool(
        settings["cipher"] or settings["server-preference"] or (policy is not None and policy.own_order)
    )
