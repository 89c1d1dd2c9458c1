"""Which labels: bundle, encoder, head, calibration and cuts. No database, no network but a model hub."""
