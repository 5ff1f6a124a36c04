"""Packaging of mt5x: what it is made of and what it needs.

Bounds are there for a reason. A lower bound is the version the tests passed with; an upper bound
stands where a newer version is known to break us or, for libraries that break their callers in
minor releases by policy, where one is to be expected. `constraints.txt` holds the exact versions
of the last tested set, which the scripts install.
"""

import re
from pathlib import Path

from setuptools import find_namespace_packages, find_packages, setup

HERE = Path(__file__).resolve().parent

VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "mt5x" / "__init__.py").read_text(encoding="utf-8"), re.M
).group(1)

CODE = ["mt5x", "tasks", "analysis", "scripts"]
PACKAGES = find_packages(include=[*CODE, *(f"{name}.*" for name in CODE)])
# The gin files are data: their folders hold nothing else, so they are namespace packages.
GIN = find_namespace_packages(include=["t5x_configs", "t5x_configs.*"])

REQUIRES = [
    # JAX and what follows its internals: their minor releases may break callers.
    "jax>=0.10.2,<0.11",
    "flax>=0.12.8,<0.13",
    "orbax-checkpoint>=0.12.8,<0.13",
    "optax>=0.2.8,<0.3",
    # The data side. tensorflow-text is built against exactly one minor version of TensorFlow.
    "seqio>=0.0.20,<0.1",
    "tensorflow>=2.21,<2.22",
    "tensorflow-text>=2.21.1,<2.22",
    "tensorflow-datasets>=4.9.10",
    "importlib_resources>=6",  # imported by tensorflow-datasets, which does not declare it
    "sentencepiece>=0.2",
    "regex>=2026.11.15",  # grapheme clusters that keep Indic conjuncts whole (UAX #29, GB9c)
    "gin-config>=0.5.0",
    "clu>=0.0.12",
    "tensorboard>=2.19",  # imported by clu's writers, which do not declare it
    # Typology. lang2vec itself imports pkg_resources, which setuptools 82 removed.
    "lang2vec>=1.1.2",
    "setuptools<82",
    # Statistics, pictures, progress.
    "numpy>=2.0",
    "pandas>=2.2",
    "scipy>=1.14",
    "statsmodels>=0.14.4",
    "scikit-learn>=1.5",
    "pyarrow>=17",
    "matplotlib>=3.9",
    "jinja2>=3.1",
    "tqdm>=4.66",
]

TEST = ["pytest>=8.3", "pytest-xdist>=3.6", "hypothesis>=6.100"]
LINT = ["ruff>=0.17,<0.18", "mypy>=2.4,<2.5"]  # a newer linter finds new faults in old code
# What hands jobs to a SLURM cluster.
SLURM = ["submitit>=1.5.4,<2"]
# Other implementations that the parity tests compare with.
PEERS = ["torch==2.13.0", "transformers>=5"]

setup(
    name="mt5x",
    version=VERSION,
    description="Fine-tune mT5 across languages in JAX, and see what transfers",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The mt5x authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="mt5 t5x seqio jax flax cross-lingual transfer multilingual nlp",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Text Processing :: Linguistic",
    ],
    python_requires=">=3.11,<3.14",  # tensorflow-text has wheels for no other
    packages=[*PACKAGES, *GIN],
    package_data={"": ["*.gin", "*.css", "*.html", "*.js", "*.json", "*.csv", "*.txt", "py.typed"]},
    install_requires=REQUIRES,
    extras_require={
        "tpu": ["jax[tpu]>=0.10.2,<0.11"],
        "gpu": ["jax[cuda12]>=0.10.2,<0.11"],  # runs with older drivers, too
        "gpu-cuda13": ["jax[cuda13]>=0.10.2,<0.11"],
        "slurm": SLURM,
        "test": [*TEST, *SLURM],
        "peers": PEERS,
        "lint": LINT,
        "dev": [*TEST, *SLURM, *LINT, "pre-commit>=4"],
    },
    entry_points={"console_scripts": ["mt5x = scripts.main:main"]},
    zip_safe=False,
)
