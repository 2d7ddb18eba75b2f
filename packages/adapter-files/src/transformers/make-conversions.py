"""Writes conversions.ts: how transformers renames, stacks and joins the tensors of checkpoints on loading, by class of model; and turned-weights.ts:
what a model stores [in, out].

    python packages/adapter-files/src/transformers/make-conversions.py

The table is transformers' own (`conversion_mapping.py`), as it holds for a model of each class, parts of the model included. Patterns are written
as JavaScript takes them; an expert's number is the group `star`.
"""
import json
import pathlib
import re

import torch
import transformers
from transformers import conversion_mapping
from transformers.core_model_loading import WeightConverter
from transformers.models.auto import modeling_auto
from transformers.pytorch_utils import Conv1D
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

HEADS = ("CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "SEQUENCE_CLASSIFICATION", "TOKEN_CLASSIFICATION", "QUESTION_ANSWERING", "IMAGE_CLASSIFICATION", "SEQ_TO_SEQ_CAUSAL_LM")  # fmt: skip
# What speeds up building: layers are alike.
DEPTHS = ("num_hidden_layers", "n_layer", "num_layers", "depth", "n_layers", "encoder_layers", "decoder_layers")
OPERATIONS = {"MergeModulelist": "stack", "Concatenate": "join", "Chunk": "chunk", "Split": "split", "Transpose": "transpose"}


def classes():
    tables = [getattr(modeling_auto, f"MODEL_FOR_{head}_MAPPING_NAMES") for head in HEADS] + [modeling_auto.MODEL_MAPPING_NAMES]
    for table in tables:
        for model_type, names in table.items():
            for name in [names] if isinstance(names, str) else names:
                yield model_type, name


def find(name):
    """A class, and the model type that it is for; classes that need a library that is not here are left out."""
    try:
        cls = getattr(transformers, name)
        return cls, getattr(cls.config_class, "model_type", None)
    except (AttributeError, ImportError):
        return None, None


def shorten(config, depth=0):
    for field in DEPTHS:
        if isinstance(getattr(config, field, None), int) and getattr(config, field) > 2:
            setattr(config, field, 2)
    for value in list(config.__dict__.values()) if depth < 3 else []:
        if hasattr(value, "model_type"):
            shorten(value, depth + 1)


def build(cls, model_type):
    for change in (shorten, lambda config: None):
        try:
            config = CONFIG_MAPPING[model_type]()
            change(config)
            with torch.device("meta"):
                return cls(config)
        except Exception:  # noqa: BLE001 - some classes need what this machine or the default config lacks
            continue
    return None


def pattern(source):
    text = source.replace("*.", r"(?<star>.*)\.", 1).replace("*.", r".*\.")
    return text + r"(?!\w)" if re.search(r"[a-zA-Z0-9]$", source) else text


def operation(op):
    """Its kind and axes; what is not followed by its name."""
    kind = "orient" if getattr(op, "check_dims", False) else OPERATIONS.get(type(op).__name__)
    return [kind, *(value for key, value in vars(op).items() if key.startswith("dim"))] if kind else ["other", type(op).__name__]


def rule(transform):
    entry = {"from": [pattern(source) for source in transform.source_patterns], "to": list(transform.target_patterns)}
    if isinstance(transform, WeightConverter):
        entry["operations"] = [operation(op) for op in transform.operations]
    elif len(transform.source_patterns) != 1 or type(transform).__name__ == "Inkling2IndexOffsetWeightRename":
        return None
    if transform.scope_prefix is not None:
        entry["scope"] = [transform.base_model_prefix or "", transform.scope_prefix]
    return entry


def orientations(model):
    """Names of layers whose weight is stored [in, out], and whether stacks of experts are; None where a model has both, or no stacks."""
    leaves = lambda test: {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if test(module)}  # noqa: E731
    turned = leaves(lambda m: isinstance(m, Conv1D)) - leaves(lambda m: isinstance(m, torch.nn.Linear))
    stacks = {bool(getattr(m, "is_transposed", False)) for m in model.modules() if any(p.dim() == 3 for n, p in m.named_parameters(recurse=False) if n.endswith("_proj"))}
    return turned, stacks.pop() if len(stacks) == 1 else None


lists, by_class, by_type, turned_layers, turned_stacks = [], {}, {}, {}, {}
for model_type, name in classes():
    cls, own = find(name)
    if cls is None or name in by_class or (own is not None and own != model_type):
        continue
    model = build(cls, model_type)
    if model is None:
        conversions = conversion_mapping.get_checkpoint_conversion_mapping(name) or conversion_mapping.get_checkpoint_conversion_mapping(model_type) or []
    else:
        conversions = conversion_mapping.get_model_conversion_mapping(model, add_legacy=False)
        layers, stacks = orientations(model)
        if layers:
            turned_layers[model_type] = sorted(layers | set(turned_layers.get(model_type, ())))
        if stacks is not None:
            turned_stacks[model_type] = stacks
    rules = [entry for entry in map(rule, conversions) if entry is not None]
    if rules and rules not in lists:
        lists.append(rules)
    by_class[name] = lists.index(rules) if rules else None
    by_type.setdefault(model_type, by_class[name])

def compact(table):
    return {name: index for name, index in sorted(table.items()) if index is not None}

note = f"// Written by make-conversions.py from transformers {transformers.__version__}; do not edit.\n"
text = f"""{note}import type {{ Conversion }} from "./conversion.js";

/** Lists of conversions, in the order in which they are applied. */
export const CONVERSIONS: readonly (readonly Conversion[])[] = {json.dumps(lists)};

/** Class of a model (`architectures` of config.json) → its list. */
export const OF_CLASS: {{ readonly [name: string]: number }} = {json.dumps(compact(by_class))};

/** `model_type` → the list of its most usual class. */
export const OF_TYPE: {{ readonly [name: string]: number }} = {json.dumps(compact(by_type))};
"""
turned = f"""{note}
/** `model_type` → names of the layers whose weight is stored [in, out]; its other layers' are [out, in]. */
export const TURNED_LAYERS: {{ readonly [type: string]: readonly string[] }} = {json.dumps(turned_layers)};

/** `model_type` → whether its stacks of experts are [expert, in, out]. */
export const TURNED_STACKS: {{ readonly [type: string]: boolean }} = {json.dumps(turned_stacks)};
"""
for file, content in {"conversions.ts": text, "turned-weights.ts": turned}.items():
    pathlib.Path(__file__).with_name(file).write_text(content)
print(len(lists), "lists for", len(compact(by_class)), "of", len(by_class), "classes")
