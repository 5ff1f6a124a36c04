"""Training jobs for one process or several, on each sort of mesh.

`python -m tests.mt5x.host_jobs FOLDER HOST:PORT COUNT INDEX` is one of several processes.
"""

import sys
from pathlib import Path

from mt5x import distributed, inference, run_record
from mt5x.evaluation import Evaluator
from mt5x.partitioning import Partitioner
from mt5x.train_loop import CheckpointConfig, train
from tests.mt5x import toy

STEPS = 4
# Of eight devices: those that share the network, and those that its parameters are split over.
MESHES = {
    "data_8": Partitioner(1, 1),
    "data_4_model_2": Partitioner(2, 1),
    "model_8": Partitioner(8, 1),
    "data_2_fsdp_4": Partitioner(1, 4),
    "two_shards": Partitioner(1, 1),
}


def train_job(name: str, folder: Path, steps: int = STEPS) -> None:
    """Trains as the job says, or goes on; evaluates after the last step."""
    data = toy.dataset(num_shards=2 if name == "two_shards" else 1)
    train(
        model=toy.model(),
        model_dir=str(folder / name),
        train_dataset_cfg=data,
        infer_eval_dataset_cfg=toy.dataset(split="validation", task_feature_lengths=None),
        train_eval_dataset_cfg=toy.dataset(split="validation"),
        # One language's labels are scored, the other's are decoded.
        evaluator=Evaluator(lambda task: toy.LABELS if task.endswith("aa") else None),
        learning_rate_fn=lambda step: 0.01,
        total_steps=steps,
        partitioner=MESHES.get(name, Partitioner()),
        checkpoint_cfg=CheckpointConfig(period=2),
        eval_period=1000 if name == "data_8" else 0,
        eval_steps=2,
        log_period=1,
        tensorboard=False,
    )


def predict(folder: Path) -> None:
    """Decodes inputs.txt, which has more lines than a batch, with a trained network."""
    inference.predict(
        model=toy.model(),
        checkpoint_path=str(folder / "data_8" / f"checkpoint_{STEPS}"),
        input_file=str(folder / "inputs.txt"),
        output_file=str(folder / "predictions.jsonl"),
        batch_size=8,
        max_decode_length=8,
    )


def main(folder: Path, address: str, count: int, index: int) -> None:
    """Joins the others, trains all jobs, and goes on with one that a single process began."""
    distributed.join(distributed.Processes(False, address, count, index, 300))
    toy.register()
    run_record.config.resolved = lambda: "TOY = True"
    for name in (*MESHES, "begun_by_one"):
        train_job(name, folder)
    predict(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
