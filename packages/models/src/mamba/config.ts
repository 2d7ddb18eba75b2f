import { ConfigError } from "@weft/tensor-core";
import type { CausalConfig } from "../causal/causal-lm.js";
import { type ConfigJson, fieldsOf } from "../config-fields.js";

/** What both generations of Mamba have in their `config.json`. */
export interface MambaBase extends CausalConfig {
  readonly modelType: "mamba" | "mamba2";
  /** Channels of the mixer, E. */
  readonly innerSize: number;
  /** States per channel (Mamba-1) or per head feature (Mamba-2), N. */
  readonly stateSize: number;
  readonly kernel: number;
  readonly normEps: number;
  readonly projectionBias: boolean;
  readonly convBias: boolean;
  readonly residualInF32: boolean;
  readonly tieWordEmbeddings: boolean;
}

/** Whether it is a config of the original program, state-spaces/mamba, and which model. */
export function originalModelType(json: ConfigJson): "mamba" | "mamba2" | undefined {
  if (json["model_type"] !== undefined || json["d_model"] === undefined) return undefined;
  return (json["ssm_cfg"] as { layer?: string } | undefined)?.layer === "Mamba2" ? "mamba2" : "mamba";
}

/** A config of the original program under the names of transformers. @see transformers `models/mamba2/convert_mamba2_ssm_checkpoint_to_pytorch.py` */
export function inTransformersNames(json: ConfigJson): ConfigJson {
  const type = originalModelType(json);
  if (!type) return json;
  const { integer, flag } = fieldsOf(json, "config.json");
  if (json["rms_norm"] === false || (json["attn_layer_idx"] as unknown[] | undefined)?.length)
    throw new ConfigError(
      "config.json: a Mamba with layer norms or attention layers is not supported, expected rms_norm and no attn_layer_idx",
      {
        kind: "unsupported-model",
      },
    );
  const ssm = (json["ssm_cfg"] ?? {}) as ConfigJson;
  const unit = integer("pad_vocab_size_multiple", 8);
  const given = {
    model_type: type,
    hidden_size: integer("d_model"),
    num_hidden_layers: integer("n_layer"),
    vocab_size: Math.ceil(integer("vocab_size") / unit) * unit,
    residual_in_fp32: flag("residual_in_fp32", true),
    tie_word_embeddings: flag("tie_embeddings", true),
    state_size: ssm["d_state"],
    conv_kernel: ssm["d_conv"],
    expand: ssm["expand"],
    time_step_rank: ssm["dt_rank"],
    head_dim: ssm["headdim"],
    n_groups: ssm["ngroups"],
    chunk_size: ssm["chunk_size"],
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** The fields that both generations share. @param stateSize if the file names none @throws ConfigError naming the field */
export function readMambaBase(json: ConfigJson, modelType: MambaBase["modelType"], stateSize: number, tied: boolean): MambaBase {
  const { integer, positive, flag, same } = fieldsOf(json, "config.json");
  same("hidden_act", "silu");
  const hiddenSize = integer("hidden_size", modelType === "mamba" ? 768 : 4096);
  return {
    modelType,
    hiddenSize,
    layers: integer("num_hidden_layers", modelType === "mamba" ? 32 : 64),
    vocabSize: integer("vocab_size", modelType === "mamba" ? 50280 : 32768),
    innerSize: integer("expand", 2) * hiddenSize,
    stateSize: integer("state_size", stateSize),
    kernel: integer("conv_kernel", 4),
    normEps: positive("layer_norm_epsilon", 1e-5),
    projectionBias: flag("use_bias"),
    convBias: flag("use_conv_bias", true),
    residualInF32: flag("residual_in_fp32", true),
    tieWordEmbeddings: flag("tie_word_embeddings", tied),
  };
}
