"""The family `deepseek_v4`: its class in transformers names and lays out tensors otherwise than published checkpoints,
and has weights that no other family has."""
import re

import torch

# What parts of a name become, in order, once the prefix of the model is gone.
PUBLISHED = (
    ("embed_tokens.", "embed."), ("lm_head.", "head."), ("hc_head.hc_", "hc_head_"),
    (".self_attn.compressor.indexer.scorer.weights_proj.", ".attn.indexer.weights_proj."),
    (".self_attn.compressor.indexer.q_b_proj.", ".attn.indexer.wq_b."),
    (".self_attn.compressor.indexer.", ".attn.indexer.compressor."), (".self_attn.", ".attn."), (".mlp.", ".ffn."),
    (".compressor.kv_norm.", ".compressor.norm."), (".position_bias", ".ape"), (".gate_proj.", ".wgate."),
    (".q_a_proj.", ".wq_a."), (".q_b_proj.", ".wq_b."), (".q_a_norm.", ".q_norm."), (".kv_proj.", ".wkv."),
    (".o_a_proj.", ".wo_a."), (".o_b_proj.", ".wo_b."), (".sinks", ".attn_sink"),
    (".gate.e_score_correction_bias", ".gate.bias"), (".input_layernorm.", ".attn_norm."),
    (".post_attention_layernorm.", ".ffn_norm."), (".attn_hc.", ".hc_attn_"), (".ffn_hc.", ".hc_ffn_"),
)
SHARED = ((".gate_proj.", ".w1."), (".up_proj.", ".w3."), (".down_proj.", ".w2."))
EXPERT = re.compile(r"layers\.(\d+)\.ffn\.experts\.(\d+)\.w([123])\.weight")


def published_name(name):
    name = name.removeprefix("model.")
    for old, new in SHARED if ".shared_experts." in name else ():
        name = name.replace(old, new)
    for old, new in PUBLISHED:
        name = new + name[len(old):] if name.startswith(old) else name.replace(old, new)
    return name


def publish(tensors):
    """Tensors of the class as published: other names, and experts one by one."""
    result = {}
    for name, tensor in tensors.items():
        prefix = published_name(name.rpartition(".")[0])
        if name.endswith("experts.gate_up_proj"):
            for expert, both in enumerate(tensor):
                for part, half in zip(("w1", "w3"), both.chunk(2)):
                    result[f"{prefix}.{expert}.{part}.weight"] = half
        elif name.endswith("experts.down_proj"):
            result.update({f"{prefix}.{expert}.w2.weight": down for expert, down in enumerate(tensor)})
        else:
            result[published_name(name)] = tensor
    return result


def load(model, published):
    """Gives the class published tensors, in float32."""
    state = {}
    for name in model.state_dict():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            layer = name.split(".")[2]
            parts = {
                (int(found[2]), found[3]): tensor.float() for key, tensor in published.items()
                if (found := EXPERT.fullmatch(key)) and found[1] == layer}
            count = max(expert for expert, _ in parts) + 1
            state[name] = torch.stack([
                torch.cat([parts[index, "1"], parts[index, "3"]]) if name.endswith("gate_up_proj")
                else parts[index, "2"] for index in range(count)])
        else:
            tied = "embed.weight" if name == "lm_head.weight" and "head.weight" not in published else None
            tensor = published[tied or published_name(name)]
            state[name] = tensor.float() if tensor.is_floating_point() else tensor
    model.load_state_dict(state)
    return model.eval()


def random_tables(model, generator):
    """Which experts the tokens name: different ones, in no order."""
    for name, buffer in sorted(model.named_buffers()):
        if name.endswith("tid2eid"):
            count, chosen = model.config.n_routed_experts, buffer.shape[-1]
            buffer.copy_(torch.stack([torch.randperm(count, generator=generator)[:chosen] for _ in buffer]))


def is_stored_exactly(name):
    """What published checkpoints keep as it is: whole numbers, and what steers streams, sinks and routers."""
    return name.endswith(("tid2eid", "sinks", "e_score_correction_bias")) or "_hc." in name or "hc_head" in name


def is_quantised(name):
    """By the published name."""
    projections = (".wq_a.weight", ".wq_b.weight", ".wkv.weight", ".wo_a.weight", ".wo_b.weight")
    return "experts." in name or name.endswith(projections) and "compressor" not in name


def choices(module, logits, chosen):
    """What a router ranks experts by, and in which order it says those that it chose: by rank, or as the table does."""
    if hasattr(module, "tid2eid"):
        return -torch.arange(logits.shape[-1]).float().expand_as(logits), chosen
    ranked = torch.nn.functional.softplus(logits).sqrt() + module.e_score_correction_bias
    order = ranked.gather(-1, chosen).sort(dim=-1, descending=True, stable=True).indices
    return ranked, chosen.gather(-1, order)
