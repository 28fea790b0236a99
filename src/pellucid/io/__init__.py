"""Thin shells around the sans-IO connection: blocking sockets, asyncio, trio, anyio. No protocol in here."""
