"""Checkpoints of Hugging Face's transformers: mT5, umT5 and ByT5, without torch."""

from mt5x.checkpoints.huggingface.reader import HuggingFaceSource, open_source
from mt5x.checkpoints.huggingface.writer import HuggingFaceSink

__all__ = ["HuggingFaceSink", "HuggingFaceSource", "open_source"]
