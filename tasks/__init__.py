"""SeqIO tasks of cross-lingual transfer; importing this package registers them."""
