"""`mt5x convert`: a checkpoint of T5X or Hugging Face in another format."""

import argparse

SUMMARY = "convert a checkpoint: T5X's formats and Hugging Face's, both ways"
EXAMPLES = """\
  mt5x convert downloads/mt5-small runs/mt5_small          a Hugging Face folder, to fine-tune
  mt5x convert gs://t5-data/pretrained_models/t5x/mt5_small runs/mt5_small_hf
  mt5x convert runs/panx published/panx --dtype bfloat16   the newest checkpoint of a run
  mt5x convert runs/panx old --to t5x_legacy               for a T5X from before Orbax
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SRC", help="a checkpoint, or a run's folder; its format is found out"
    )
    parser.add_argument("destination", metavar="DST", help="a folder that does not exist")
    parser.add_argument(
        "--to",
        metavar="FORMAT",
        help="t5x (Orbax, that of our own runs, too), t5x_legacy or huggingface (default: "
        "huggingface from T5X's formats, t5x from Hugging Face's)",
    )
    parser.add_argument(
        "--dtype", help="of the parameters: float32 or bfloat16 (default: as they are)"
    )


def run(args: argparse.Namespace) -> None:
    from mt5x.checkpoints.convert import convert

    done = convert(args.source, args.destination, args.to, args.dtype)
    step = "" if done.step is None else f", step {done.step}"
    left_out = f"; {done.left_out} optimizer slots were left out" if done.left_out else ""
    vocabulary = (
        f"its vocabulary is in {done.vocabulary}"
        if done.vocabulary
        else "no vocabulary lies beside it, so none was copied"
    )
    print(
        f"{done.destination}: {done.format} from {done.source_format}{step}, "
        f"{done.num_parameters:,} parameters, {len(done.tensors)} tensors, "
        f"{done.nbytes / 1e6:,.1f} MB, read back and equal{left_out}; {vocabulary}"
    )
