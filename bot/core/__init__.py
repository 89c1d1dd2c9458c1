"""Pure values and functions: no network, no database, no model, no clock."""
