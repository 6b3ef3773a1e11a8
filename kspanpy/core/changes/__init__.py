"""Who changed an object, and what. `change` puts together what the others read: `who`, `what`, `provenance`, `tracecontext`."""
