"""PostgreSQL: tables, migrations, one module per noun."""
