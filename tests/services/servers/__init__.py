"""The real key managers, as the tests start and stop them. See tests/services/README.md."""
