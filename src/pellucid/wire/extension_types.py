"""The types of the extensions that the handshake speaks, as plain numbers.

RFC 8446 section 4.2 and the IANA registry. `codepoints.ExtensionType` has all of them, and names; but
to read a member of an enumeration costs 0.3 us in Python 3.11, to find a mapping's entry by it as much
again, and a handshake asks a hundred times. A test holds the two lists together.
"""

from __future__ import annotations

from typing import Final

from pellucid.wire.codepoints import ExtensionType

server_name: Final = 0
max_fragment_length: Final = 1
status_request: Final = 5
supported_groups: Final = 10
ec_point_formats: Final = 11
signature_algorithms: Final = 13
application_layer_protocol_negotiation: Final = 16
signed_certificate_timestamp: Final = 18
client_certificate_type: Final = 19
server_certificate_type: Final = 20
padding: Final = 21
encrypt_then_mac: Final = 22
extended_master_secret: Final = 23
compress_certificate: Final = 27
record_size_limit: Final = 28
session_ticket: Final = 35
pre_shared_key: Final = 41
early_data: Final = 42
supported_versions: Final = 43
cookie: Final = 44
psk_key_exchange_modes: Final = 45
certificate_authorities: Final = 47
oid_filters: Final = 48
post_handshake_auth: Final = 49
signature_algorithms_cert: Final = 50
key_share: Final = 51
quic_transport_parameters: Final = 57
ticket_request: Final = 58
renegotiation_info: Final = 0xFF01

name_of = ExtensionType.name_of
