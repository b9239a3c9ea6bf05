"""Images per stratum, with weights."""
