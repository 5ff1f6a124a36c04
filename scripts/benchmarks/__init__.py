"""The sections of `mt5x benchmark`, a file each, in the form of a subcommand."""
