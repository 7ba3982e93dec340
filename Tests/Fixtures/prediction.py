"""Layers that predict a further token: what published checkpoints of some families have beyond their layers.

The reference is a model of the family's own class with one layer, whose input is made here as the report on DeepSeek-V3
(arXiv 2412.19437, 2.2) describes it: the embedding of the next token and the hidden state, both normed, through one
projection; for DeepSeek-V4 through one each, added for each stream of the residual."""
import torch

# What is not the model's own of the settings of the one layer.
ONE_LAYER = dict(num_hidden_layers=1, first_k_dense_replace=0)
OF_FAMILY = {
    "deepseek_v4": dict(),
    "glm_moe_dsa": dict(indexer_types=["full"], mlp_layer_types=["sparse"]),
    "qwen3_5_moe": dict(layer_types=["full_attention"]),
}
KEYS_OF_FAMILY = {"deepseek_v4": dict(compress_ratios=[0], num_hash_layers=0)}


def settings_of_layer(settings, family):
    """The settings of a model that is nothing but the layer."""
    changes = {key: value for key, value in ONE_LAYER.items() if key in settings}
    return {**settings, **changes, **OF_FAMILY.get(family, {})}


def random_entry(width, family, seed, dtype):
    """What joins embedding and hidden state, by the names that DeepSeek-V3 and V4 have for it."""
    generator = torch.Generator().manual_seed(seed)
    center = 0 if family == "qwen3_5_moe" else 1

    def matrix(columns):
        return torch.randn(width, columns, generator=generator) / columns ** 0.5

    tensors = {name: center + 0.15 * torch.randn(width, generator=generator) for name in ("enorm", "hnorm")}
    if family == "deepseek_v4":
        tensors.update(e_proj=matrix(width), h_proj=matrix(width))
    else:
        tensors["eh_proj"] = matrix(2 * width)
    return {name + ".weight": tensor.to(dtype) for name, tensor in tensors.items()}


def published(tensors, entry, family, layer_count):
    """Tensors of the one layer's model, whose embedding and head are those of the other one, by their names in files."""
    tensors = {
        name: tensor for name, tensor in tensors.items()
        if not name.endswith(("embed_tokens.weight", "lm_head.weight", "embed.weight"))
        and not name.startswith("head.")}
    if family == "qwen3_5_moe":
        words = {"enorm": "pre_fc_norm_embedding", "hnorm": "pre_fc_norm_hidden", "eh_proj": "fc"}
        named = {"mtp." + words[name.removesuffix(".weight")] + ".weight": tensor for name, tensor in entry.items()}
        return named | {"mtp." + name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    if family == "deepseek_v4":
        named = {"mtp.0." + name: tensor for name, tensor in entry.items()}
        return named | {"mtp.0." + name.removeprefix("layers.0."): tensor for name, tensor in tensors.items()}
    prefix = f"model.layers.{layer_count}."
    named = {prefix + name: tensor for name, tensor in entry.items()}
    for name, tensor in tensors.items():
        own = name.removeprefix("model.layers.0.")
        named[prefix + ("shared_head.norm.weight" if own == "model.norm.weight" else own)] = tensor
    return named


def normed(rows, weight, model, family):
    """An RMS norm; the weights are zero-centred where the family has them so."""
    scale = torch.rsqrt(rows.pow(2).mean(-1, keepdim=True) + model.config.rms_norm_eps)
    return rows * scale * (weight.float() + (1 if family == "qwen3_5_moe" else 0))


def logits(model, layer, entry, family, ids):
    """For each position but the last, with the token behind it: what the layer says of the token after that.

    `model` is the family's class, `layer` the one with one layer."""
    seen = {}
    streams = family == "deepseek_v4"
    if streams:
        handle = model.model.layers[-1].register_forward_hook(lambda _, __, result: seen.update(hidden=result))
    hidden = model.model(ids[None], use_cache=False).last_hidden_state
    if streams:
        handle.remove()
        hidden = seen["hidden"]
    hidden = normed(hidden[:, :-1], entry["hnorm.weight"], model, family)
    embedded = normed(model.model.embed_tokens(ids[None, 1:]), entry["enorm.weight"], model, family)
    if not streams:
        joined = torch.cat([embedded, hidden], -1) @ entry["eh_proj.weight"].float().T
        return model.lm_head(layer.model(inputs_embeds=joined, use_cache=False).last_hidden_state)[0]
    projected = (embedded @ entry["e_proj.weight"].float().T)[:, :, None]
    mixed = projected + hidden @ entry["h_proj.weight"].float().T
    handle = layer.model.layers[0].register_forward_pre_hook(lambda _, arguments: (mixed,) + arguments[1:])
    result = layer.model(ids[None, 1:], use_cache=False).last_hidden_state
    handle.remove()
    return model.lm_head(result)[0]


def answer(all_logits, ids, rounded):
    """What a golden answer says of a prediction; `ids` are prompt and greedy tokens."""
    best = all_logits.max(-1)
    return dict(
        log_sum_exp=rounded(all_logits.double().logsumexp(-1)),
        token_logits=rounded(all_logits[:-1].gather(1, ids[2:, None])[:, 0]), best_ids=best.indices.tolist(),
        best_logits=rounded(best.values))
