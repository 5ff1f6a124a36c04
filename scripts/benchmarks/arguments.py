"""Arguments that several sections of `mt5x benchmark` have."""

import argparse


def add_model(parser: argparse.ArgumentParser, default: str = "mt5_small") -> None:
    """Adds --model, a named size."""
    parser.add_argument(
        "--model", default=default, help="a file of t5x_configs/models (default: %(default)s)"
    )


def add_batch_size(parser: argparse.ArgumentParser, default: int) -> None:
    """Adds --batch_size."""
    parser.add_argument(
        "--batch_size", type=int, default=default, help="rows of a batch (default: %(default)s)"
    )


def add_dtype(parser: argparse.ArgumentParser) -> None:
    """Adds --dtype, that of the activations."""
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "bfloat16"),
        help="of the activations (default: %(default)s)",
    )
