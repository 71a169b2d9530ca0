"""The decision as DuckDB SQL: mapping, registers, state, rules."""
