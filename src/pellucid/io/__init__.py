"""Thin shells around the sans-IO connection: blocking sockets, asyncio, anyio. No protocol in here."""
