"""The rules of each phase: lists of named functions, the first answer counts, the list is the specification."""
