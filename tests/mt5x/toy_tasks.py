"""Registers the toy tasks where it is imported, as a gin file does."""

from tests.mt5x import toy

toy.register()
