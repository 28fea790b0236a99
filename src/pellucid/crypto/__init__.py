"""The only floor that touches primitives: suites, groups, signatures, schedules."""
