"""Mail on its way out: rows written with what causes them, sent by a worker."""
