"""T5X's flags, read as T5X reads them."""

import pytest

from scripts.gin_arguments import add_gin_arguments
from scripts.main import Parser


def parse(*argv: str):
    parser = Parser(prog="mt5x train", allow_abbrev=False)
    add_gin_arguments(parser)
    return parser.parse_args(list(argv))


def test_files_keep_their_order():
    args = parse("--gin_file=a.gin", "--gin_file", "b.gin")
    assert args.gin_file == ["a.gin", "b.gin"]


def test_no_flags_give_empty_lists_that_are_not_shared():
    first = parse("--gin_file=a.gin")
    second = parse()
    assert (second.gin_file, second.gin_search_paths, second.gin_bindings) == ([], [], [])
    assert first.gin_file == ["a.gin"]


def test_search_paths_are_separated_by_commas():
    assert parse("--gin_search_paths=one,two").gin_search_paths == ["one", "two"]


@pytest.mark.parametrize(
    ("argument", "binding"),
    [
        ("--gin.TRAIN_STEPS=10", "TRAIN_STEPS=10"),
        ("--gin.MODEL_DIR='runs/a b'", "MODEL_DIR='runs/a b'"),
        ("--gin.TASK_FEATURE_LENGTHS={'inputs': 8}", "TASK_FEATURE_LENGTHS={'inputs': 8}"),
        (
            "--gin.train/input_pipeline.DatasetConfig.seed=1",
            "train/input_pipeline.DatasetConfig.seed=1",
        ),
        ("--gin.A=b=c", "A=b=c"),
        ("--gin.A=", "A="),
        ("--gin_bindings=A=1", "A=1"),
    ],
)
def test_a_binding_has_a_free_name_and_an_untouched_value(argument, binding):
    assert parse(argument).gin_bindings == [binding]


def test_bindings_keep_their_order_so_that_the_last_wins():
    assert parse("--gin.A=1", "--gin.B=2", "--gin.A=3").gin_bindings == ["A=1", "B=2", "A=3"]


@pytest.mark.parametrize("argument", ["--gin.MODEL_DIR", "--gin.=3"])
def test_a_binding_without_a_value_is_explained(argument, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse(argument)
    assert exit_.value.code == 2
    assert "write --gin.NAME=VALUE" in capsys.readouterr().err


def test_a_misspelt_flag_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as exit_:
        parse("--gin_fil=a.gin")
    assert exit_.value.code == 2
    assert "unknown argument --gin_fil=a.gin; did you mean --gin_file?" in capsys.readouterr().err
