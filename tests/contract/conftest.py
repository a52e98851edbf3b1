from tests.fixtures import *  # noqa: F403 - until tests/conftest.py loads it as a plugin
