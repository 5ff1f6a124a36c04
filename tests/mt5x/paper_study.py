"""The stages of arXiv 2212.01757 at the sizes of mT5's recipes, for planning them.

LM statistics of the public checkpoint, then fine-tuning from each source language of three tasks,
each evaluated in all target languages of its task: 90 + 42 + 42 ordered pairs.
"""

from mt5x.studies.stage import Stage

LANGUAGES = ["ar", "bn", "de", "en", "es", "fi", "hi", "id", "ru", "sw"]
SOURCES = {
    "xnli": ["ar", "de", "en", "es", "hi", "ru", "sw"],
    "panx": LANGUAGES,
    "tydiqa": ["ar", "bn", "en", "fi", "id", "ru", "sw"],
}
# Evaluated at the end alone, and one checkpoint kept.
SPARING = {"EVAL_PERIOD": 0, "CHECKPOINTS_TO_KEEP": 1}


def stages(model: str) -> list[Stage]:
    """All of them, parents first; `model` is the name of a model file."""
    model_file = f"t5x_configs/models/{model}.gin"
    public = f"gs://t5-data/pretrained_models/t5x/{model}/checkpoint_1000000"
    found = [
        Stage(
            name="lm_statistics",
            kind="lm_statistics",
            gin_files=(model_file, "t5x_configs/runs/lm_statistics.gin"),
            macros={
                "CHECKPOINT_PATH": public,
                "LANGUAGES": LANGUAGES,
                "TASK_FEATURE_LENGTHS": {"inputs": 512, "targets": 114},
            },
            parents=(),
            seed=0,
            task="mc4",
        )
    ]
    for task, sources in SOURCES.items():
        experiment = f"t5x_configs/experiments/{task}_zeroshot.gin"
        for source in sources:
            mixture = {"MIXTURE_OR_TASK_NAME": f"{task}_zeroshot.{source}"}
            tuned = Stage(
                name=f"finetune-{task}-{source}",
                kind="train",
                gin_files=(model_file, "t5x_configs/runs/finetune.gin", experiment),
                macros={
                    "INITIAL_CHECKPOINT_PATH": public,
                    "MODEL_DIR": "{folder}",
                    **mixture,
                    **SPARING,
                },
                parents=(),
                seed=0,
                task=task,
                source=source,
            )
            scored = Stage(
                name=f"evaluate-{task}-{source}",
                kind="evaluate",
                gin_files=(model_file, "t5x_configs/runs/evaluate.gin", experiment),
                macros={
                    "CHECKPOINT_PATH": f"{{{tuned.name}}}",
                    "EVAL_OUTPUT_DIR": "{folder}",
                    "EVALUATOR_ONLY": [f"{task}_eval.{target}" for target in sources],
                    **mixture,
                },
                parents=(tuned.name,),
                seed=0,
                task=task,
                source=source,
            )
            found += [tuned, scored]
    return found
