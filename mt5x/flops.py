"""FLOPs of a training step, from shapes: what MFU counts.

Model FLOPs as in PaLM (arXiv 2204.02311, appendix B): two for each multiply-add of a matrix
product, forward once and backward twice, and nothing for what is computed again
(rematerialisation). Each token of a row attends to all positions of the row, as it is computed,
also where segments and causality mask most of them. Only real tokens count: padding is work of the
device and none of the model's, so padding lowers MFU. With E the width, J = heads x head_dim, M
the feed-forward width, a its input projections, V the vocabulary's rows and n, m the row lengths
of inputs and targets, the forward pass takes

  an input token    layers_enc x (8EJ + 4nJ + 2(a+1)EM)  +  layers_dec x 4EJ (cross keys, values)
  a target token    layers_dec x (8EJ + 4mJ  +  4EJ + 4nJ  +  2(a+1)EM)  +  2EV (logits)

Looking embeddings up takes none.
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
    return 3.0 * (input_tokens * an_input + target_tokens * a_target)
