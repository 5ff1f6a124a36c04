"""Adversarial variants of evaluation tasks: the same rows, their inputs made noisy.

    preprocessor('typos', strength=10, seed=0, data='xnli', language='sw')

is a SeqIO preprocessor that stands between the formatting and the tokenizer. `docs/adversarial.md`
says what each kind does and what its strength counts.
"""

from tasks.perturbations.layouts import NAMES, kinds_for
from tasks.perturbations.preprocessing import preprocessor
from tasks.perturbations.text import perturb

__all__ = ["NAMES", "kinds_for", "perturb", "preprocessor"]
