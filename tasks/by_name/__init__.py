"""Tasks and mixtures that are made when their name is asked for, and are the same everywhere.

    xnli_train.en:n1000        1000 training examples (seed 0); the 100 of `:n100` are among them
    panx_zeroshot:n1000.s3     each train task of a mixture cut so, by seed 3; eval tasks stay
    xnli_eval.sw:typos10       an eval task's inputs perturbed, strength 10, seed 0
    tydiqa_zeroshot:mlm10      one span-corruption example to 10 of the mixture's own
    mnli_train.en:nosentinels100   one to 100, without sentinels in the targets
    xnli_sources.resources.3   trained on the first 3 languages in the order `resources`
    panx_fewshot.en.sw:n10     all of English and 10 examples of Swahili
    mc4_span_corruption.sw:train   the train split alone of a task that has others

Suffixes follow one another in that order: cut, then perturbed, then mixed. They take any task,
the user's own too, that tokenizes with `seqio.preprocessors.tokenize`. `registry.install` makes
SeqIO find these names.
"""
