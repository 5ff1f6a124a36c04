"""FLOPs of training, scoring and decoding, from shapes: what MFU counts.

Model FLOPs as in PaLM (arXiv 2204.02311, appendix B): two for each multiply-add of a matrix
product, forward once and backward twice, and nothing for what is computed again
(rematerialisation). Each token of a row attends to all positions of the row, as it is computed,
also where segments and causality mask most of them. Only real tokens count: padding is work of the
device and none of the model's, so padding lowers MFU. With E the width, J = heads x head_dim, M
the feed-forward width, a its input projections, V the vocabulary's rows and n, m the row lengths
of inputs and targets, the forward pass takes

  an input token    layers_enc x (8EJ + 4nJ + 2(a+1)EM)  +  layers_dec x 4EJ (cross keys, values)
  a target token    layers_dec x (8EJ + 4mJ  +  4EJ + 4nJ  +  2(a+1)EM)  +  2EV (logits)

Looking embeddings up takes none. Decoding reads the same inputs and writes the same targets, one
after another: with the keys and values of earlier positions kept, the sum is that of one forward
pass, and each of several hypotheses writes targets of its own.
"""

from mt5x.model import T5Config


def training_flops(
    config: T5Config,
    input_tokens: float,
    target_tokens: float,
    input_length: int,
    target_length: int,
) -> float:
    """FLOPs of training on so many tokens once, forward and backward.

    Args:
      config: the network.
      input_tokens: real tokens of the inputs.
      target_tokens: real tokens of the targets.
      input_length: positions of a row of inputs.
      target_length: positions of a row of targets.
    """
    return 3.0 * forward_flops(config, input_tokens, target_tokens, input_length, target_length)


def decoding_flops(
    config: T5Config,
    input_tokens: float,
    target_tokens: float,
    input_length: int,
    target_length: int,
    hypotheses: int = 1,
) -> float:
    """FLOPs of writing so many target tokens for each of `hypotheses`, for inputs encoded once."""
    written = hypotheses * target_tokens
    return forward_flops(config, input_tokens, written, input_length, target_length)


def forward_flops(
    config: T5Config,
    input_tokens: float,
    target_tokens: float,
    input_length: int,
    target_length: int,
) -> float:
    """FLOPs of one forward pass with the targets given, as in scoring; see `training_flops`."""
    width, joined = config.emb_dim, config.num_heads * config.head_dim
    projections = 8 * width * joined
    feed_forward = 2 * (len(config.mlp_activations) + 1) * width * config.mlp_dim
    encoder = projections + 4 * input_length * joined + feed_forward
    cross = 4 * width * joined + 4 * input_length * joined
    decoder = projections + 4 * target_length * joined + cross + feed_forward
    cross_keys_values = 4 * width * joined
    logits = 2 * width * config.vocab_size
    an_input = config.num_encoder_layers * encoder + config.num_decoder_layers * cross_keys_values
    a_target = config.num_decoder_layers * decoder + logits
    return float(input_tokens * an_input + target_tokens * a_target)
