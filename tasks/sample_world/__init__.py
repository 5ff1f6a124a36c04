"""The sample world: small artificial languages with real typology, written as official data sets.

    from tasks.sample_world import world, writing
    writing.write(world.Settings(seed=0), "runs/sample_world")

A clause is a meaning (`meanings`); a language turns it into words by its grammar (`grammars`, read
from WALS through lang2vec) and lexicon (`lexicons`). What decides a label is which word belongs to
which name: a reader who knows the grammar of another language knows on which side to look, and
who shares its words knows what they say. So both can be planted, dialled and found again.
"""
