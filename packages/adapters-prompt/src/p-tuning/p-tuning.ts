import { ConfigError, integer, linear, oneOf, type Params, dropRate, relu, type Tensor } from "@weft/tensor-core";
import {
  EMBEDDING,
  embeddingOf,
  linearOf,
  PROMPT,
  PROMPT_FIELDS,
  type PromptConfigFields,
  type PromptMethod,
  size,
  totalTokens,
} from "@weft/tensor-core/prompt";
import { lstm, lstmParameters, type LstmShape } from "./lstm.js";

/** PEFT's `PromptEncoderConfig`. */
export interface PTuningConfigFields extends PromptConfigFields {
  readonly encoderReparameterizationType: "MLP" | "LSTM";
  /** `token_dim` if not given. */
  readonly encoderHiddenSize: number;
  /** Layers of the LSTM; the MLP always has three. */
  readonly encoderNumLayers: number;
  readonly encoderDropout: number;
}

/** More layers than any encoder has. */
const MAX_LAYERS = 256;

const lstmOf = ({ tokenDim, encoderHiddenSize, encoderNumLayers }: PTuningConfigFields): LstmShape => ({
  prefix: "lstm_head.",
  inputs: tokenDim,
  hidden: encoderHiddenSize,
  layers: encoderNumLayers,
});

/** Names of the linear layers of the head with their sizes; ReLU between them. */
function head({ tokenDim: d, encoderHiddenSize: h, encoderReparameterizationType: type }: PTuningConfigFields): [string, number, number][] {
  if (type === "LSTM")
    return [
      ["mlp_head.0", 2 * h, 2 * h],
      ["mlp_head.2", 2 * h, d],
    ];
  return [
    ["mlp_head.0", d, h],
    ["mlp_head.2", h, h],
    ["mlp_head.4", h, d],
  ];
}

function encode(params: Params, config: PTuningConfigFields, drop?: (x: Tensor) => Tensor): Params {
  let x = params[EMBEDDING]!;
  if (config.encoderReparameterizationType === "LSTM") x = lstm(x, params, lstmOf(config), drop);
  for (const [i, [name]] of head(config).entries()) x = linear(i > 0 ? relu(x) : x, params[`${name}.weight`]!, params[`${name}.bias`]);
  return { [PROMPT]: x };
}

/**
 * P-tuning (Liu et al. 2021): embeddings in front of the input's that an encoder makes of trained ones, an MLP d→h→h→d or a bidirectional
 * LSTM with 2h→2h→d behind it. Files hold what the encoder gives.
 * @see peft `tuners/p_tuning/model.py`
 */
export const P_TUNING: PromptMethod<PTuningConfigFields> = {
  name: "P_TUNING",
  kind: "embeddings",
  fields: {
    ...PROMPT_FIELDS,
    encoder_reparameterization_type: oneOf("MLP", ["MLP", "LSTM"]),
    encoder_hidden_size: size(),
    encoder_num_layers: integer(2, 1, MAX_LAYERS),
    encoder_dropout: dropRate(),
  },
  parameters: (config) => ({
    [EMBEDDING]: embeddingOf(totalTokens(config), config.tokenDim),
    ...(config.encoderReparameterizationType === "LSTM" && lstmParameters(lstmOf(config))),
    ...Object.assign({}, ...head(config).map(([name, from, to]) => linearOf(name, from, to))),
  }),
  encode,
  saved: (config) => ({ [PROMPT]: [totalTokens(config), config.tokenDim] }),
  restore() {
    throw new ConfigError("P_TUNING: a file holds what the encoder gave, not the encoder, so training cannot go on from it", {
      hint: "keep the parameters of the encoder beside the adapter, or train the file's embeddings as PROMPT_TUNING",
    });
  },
};
