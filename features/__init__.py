"""Pictures → numbers: the only place that opens a picture file."""
