import { deviceOf, type Tensor, torchGenerator, torchNormal } from "@weft/tensor-core";
import { type Architecture, architecture } from "./architecture.js";
import { bertAliases, type BertConfig, BertModel, bertModules, type EncoderInputs, type EncoderOutput, readBertConfig } from "./bert.js";
import { type ConfigJson, fieldsOf } from "./config-fields.js";
import type { LayerHook } from "./hooks.js";
import { Model, type ModelOptions } from "./model.js";
import { linear, type ModuleDescription, other, parametersOf } from "./modules.js";
import type { Weights } from "./weights.js";

/** What a head says of a text: one answer for all of it, or one for each token. */
export type BertHead = "sequence" | "token";

/** A BERT's config with that of its head. */
export interface BertClassifierConfig extends BertConfig {
  readonly head: BertHead;
  /** Classes, or numbers to be foretold. */
  readonly numLabels: number;
}

/** What a classifier computes: what its encoder does, and [batch, labels] of texts or [batch, length, labels] of tokens. */
export interface ClassifierOutput extends EncoderOutput {
  readonly logits: Tensor;
}

/** Where the encoder lies in the model. */
const ENCODER = "bert.";
const CLASSIFIER = "classifier";
/** Standard deviation of a new head's weights: transformers' `initializer_range`. */
const INITIALIZER_RANGE = 0.02;

/** Every module in the order of `named_modules()`; a head over tokens has no pooler before it. */
function* classifierModules({ head, numLabels, ...encoder }: BertClassifierConfig): Generator<[path: string, module: ModuleDescription]> {
  yield [ENCODER.slice(0, -1), other];
  for (const [path, module] of bertModules(encoder, head === "sequence")) yield [`${ENCODER}${path}`, module];
  yield ["dropout", other];
  yield [CLASSIFIER, linear(encoder.hiddenSize, numLabels, true)];
}

/**
 * A BERT with a linear layer that gives classes or numbers: of a text over the pooled first token (`sequence`), or over the state of each token (`token`).
 * @see transformers `models/bert/modeling_bert.py` BertForSequenceClassification, BertForTokenClassification
 */
export class BertClassifier extends Model<BertClassifierConfig> {
  private readonly encoder: BertModel;

  constructor(config: BertClassifierConfig, weights: Weights, options: ModelOptions = {}) {
    super(config, weights, options, classifierModules(config));
    const own = [...weights].filter(([name]) => name.startsWith(ENCODER)).map(([name, t]) => [name.slice(ENCODER.length), t] as const);
    this.encoder = new BertModel(config, new Map(own), options);
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): BertClassifier {
    return new BertClassifier(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  /** Logits and hidden states, lazily; nothing is dropped. */
  forward(inputs: EncoderInputs, hook?: LayerHook): ClassifierOutput {
    const output = this.encoder.forward(inputs, hook && ((path, ...rest) => hook(`${ENCODER}${path}`, ...rest)));
    const seen = this.config.head === "sequence" ? output.poolerOutput! : output.lastHiddenState;
    return { ...output, logits: this.runner(hook)(CLASSIFIER, seen) };
  }
}

/** How many labels a `config.json` has: `id2label`, or `num_labels`; two if it says nothing, as in transformers. */
function numLabelsOf(json: ConfigJson): number {
  const names = json["id2label"];
  if (typeof names === "object" && names !== null) return Object.keys(names).length;
  return fieldsOf(json, "config.json").integer("num_labels", 2);
}

const classifier = (head: BertHead): Architecture<BertClassifier> =>
  architecture({
    modelTypes: ["bert"],
    readConfig: (json): BertClassifierConfig => ({ ...readBertConfig(json), head, numLabels: numLabelsOf(json) }),
    parameters: (config) => parametersOf(classifierModules(config)),
    aliases: (name) =>
      name.startsWith(ENCODER) ? bertAliases(name.slice(ENCODER.length)).filter((alias) => alias.startsWith(ENCODER)) : [],
    create: (config, weights, options) => new BertClassifier(config, weights, options),
  });

/** For `loadPretrained(folder, { architecture })`: checkpoints of `BertForSequenceClassification`. */
export const BERT_FOR_SEQUENCE_CLASSIFICATION: Architecture<BertClassifier> = /* @__PURE__ */ classifier("sequence");
/** For `loadPretrained(folder, { architecture })`: checkpoints of `BertForTokenClassification`. */
export const BERT_FOR_TOKEN_CLASSIFICATION: Architecture<BertClassifier> = /* @__PURE__ */ classifier("token");

/** How a new head is made. */
export interface NewHeadOptions {
  readonly head: BertHead;
  readonly numLabels: number;
  /** Of its weights, and of the pooler's where the encoder has none; 0 if not given. */
  readonly seed?: number;
}

/**
 * An encoder with a new head, whose weights are drawn from N(0, 0.02²), its bias 0: what is to be trained. Of an encoder without pooler a head over texts has a new one.
 */
export function withNewHead(encoder: BertModel, { head, numLabels, seed = 0 }: NewHeadOptions): BertClassifier {
  const config: BertClassifierConfig = { ...encoder.config, head, numLabels };
  const generator = torchGenerator(seed);
  const shapes = parametersOf(classifierModules(config));
  const device = deviceOf([...encoder.weights.values()]);
  const weights = [...shapes].map(([name, shape]): [string, Tensor] => {
    const own = name.startsWith(ENCODER) ? encoder.weights.get(name.slice(ENCODER.length)) : undefined;
    if (own) return [name, own];
    const size = shape.reduce((a, b) => a * b, 1);
    const values = name.endsWith(".bias") ? new Float32Array(size) : torchNormal(generator, size).map((x) => INITIALIZER_RANGE * x);
    return [name, device.tensor(values, { shape })];
  });
  return new BertClassifier(config, new Map(weights));
}
