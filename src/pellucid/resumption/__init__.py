"""Resumption: sessions, tickets, pre-shared keys, and what guards early data against replay."""
