"""The command line: one file per subcommand of `mt5x`, each a thin face over the packages."""
