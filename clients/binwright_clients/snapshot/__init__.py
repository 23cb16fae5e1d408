"""A cluster at one moment, as manifests that ``solve -f`` reads."""
