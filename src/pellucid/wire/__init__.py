"""The wire: the presentation language (RFC 8446 section 3), messages, extensions, code points."""
