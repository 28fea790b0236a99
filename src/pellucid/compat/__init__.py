"""pellucid behind the interfaces of others: the standard library's `ssl` (`pellucid.compat.ssl`)."""
