"""The museum: static RSA key exchange and CBC, loaded only when a policy asks by name."""
