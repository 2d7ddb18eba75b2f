import { add, cast, ConfigError, exp, maximum, minimum, mul, neg, reshape, silu, split, type Tensor } from "@weft/tensor-core";
import { softplus } from "../activations.js";
import { type Architecture, architecture } from "../architecture.js";
import { assertMultiple, type ConfigJson, fieldsOf } from "../config-fields.js";
import type { ModelOptions, RunLayer } from "../model.js";
import { depthwise, linear, type ModuleDescription, other, parametersOf, rmsNormOf } from "../modules.js";
import type { Weights } from "../weights.js";
import { inHeads, mambaAliases, MambaModel, mambaModules, type MambaState, mambaTied, masked, type Mixed, type Rows } from "./backbone.js";
import { inTransformersNames, type MambaBase, readMambaBase } from "./config.js";
import { ssd } from "./ssd.js";

/** What the forward pass needs of a Mamba-2's `config.json`. */
export interface Mamba2Config extends MambaBase {
  readonly modelType: "mamba2";
  readonly heads: number;
  readonly groups: number;
  readonly chunk: number;
  /** Smallest and largest step size. */
  readonly stepLimits: readonly [number, number];
}

/** Reads a `config.json`, that of transformers or of state-spaces. @throws ConfigError naming the field */
export function readMamba2Config(given: ConfigJson): Mamba2Config {
  const json = inTransformersNames(given);
  const { integer } = fieldsOf(json, "config.json");
  const base = readMambaBase(json, "mamba2", 128, given !== json);
  const headDim = integer("head_dim", 64);
  assertMultiple(json, ["expand · hidden_size", base.innerSize], ["head_dim", headDim]);
  const heads = integer("num_heads", base.innerSize / headDim);
  const groups = integer("n_groups", given === json ? 8 : 1);
  if (heads * headDim !== base.innerSize)
    throw new ConfigError(`config.json: num_heads · head_dim is ${heads * headDim}, expected expand · hidden_size, ${base.innerSize}`, {
      kind: "config-schema",
    });
  assertMultiple(json, ["num_heads", heads], ["n_groups", groups]);
  return {
    ...base,
    modelType: "mamba2",
    heads,
    groups,
    chunk: integer("chunk_size", 256),
    stepLimits: stepLimits(json["time_step_limit"]),
  };
}

/** [smallest, largest], where infinity is written as transformers or Python's json writes it. */
function stepLimits(value: unknown): readonly [number, number] {
  if (value === undefined || value === null) return [0, Infinity];
  const number = (v: unknown): number =>
    typeof v === "object" && v !== null && "__float__" in v ? Number(v.__float__) : typeof v === "number" ? v : Number.NaN;
  const [low, high] = Array.isArray(value) ? value.map(number) : [];
  if (!(low! >= 0) || !(high! >= low!))
    throw new ConfigError(`config.json: time_step_limit is ${JSON.stringify(value)}, expected the smallest and the largest step size`, {
      kind: "config-schema",
    });
  return [low!, high!];
}

/** Channels of the convolution: x, B and C. */
const convolved = (c: Mamba2Config): number => c.innerSize + 2 * c.groups * c.stateSize;

function* mixer(c: Mamba2Config): Generator<[name: string, module: ModuleDescription]> {
  yield ["act", other];
  yield ["conv1d", depthwise(convolved(c), c.kernel, c.convBias)];
  yield ["in_proj", linear(c.hiddenSize, c.innerSize + convolved(c) + c.heads, c.projectionBias)];
  yield ["norm", rmsNormOf(c.innerSize, c.normEps, { groups: c.groups })];
  yield ["out_proj", linear(c.innerSize, c.hiddenSize, c.projectionBias)];
}

function mamba2Parameters(c: Mamba2Config): Map<string, readonly number[]> {
  const shapes = parametersOf(mambaModules(c, mixer(c)));
  for (let i = 0; i < c.layers; i++)
    for (const name of ["dt_bias", "A_log", "D"]) shapes.set(`backbone.layers.${i}.mixer.${name}`, [c.heads]);
  return shapes;
}

/**
 * Mamba-2: a state space with one decay per head, and a gated norm behind it.
 * @see Dao & Gu 2024; transformers `models/mamba2/modeling_mamba2.py`
 */
export class Mamba2ForCausalLM extends MambaModel<Mamba2Config> {
  constructor(config: Mamba2Config, weights: Weights, options: ModelOptions = {}) {
    super(config, weights, options, mambaModules(config, mixer(config)));
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): Mamba2ForCausalLM {
    return new Mamba2ForCausalLM(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  protected stateShapes(batch: number): { conv: number[]; ssm: number[] } {
    const { innerSize, heads, kernel, stateSize } = this.config;
    return { conv: [batch, convolved(this.config), kernel - 1], ssm: [batch, heads, innerSize / heads, stateSize] };
  }

  protected mix(path: string, input: Tensor, run: RunLayer, state: MambaState, { mask, segments }: Rows): Mixed {
    const { config } = this;
    const {
      innerSize,
      heads,
      groups,
      stateSize,
      stepLimits: [low, high],
    } = config;
    const f32 = (t: Tensor): Tensor => cast(t, "f32");
    const projected = run(`${path}.in_proj`, masked(input, mask));
    const [gate, inner, step] = split(projected, [innerSize, convolved(config), heads], 2) as [Tensor, Tensor, Tensor];
    const conv = this.convolve(`${path}.conv1d`, masked(inner, mask), run, state.conv, segments);
    const mixed = masked(silu(conv.y), mask);
    const [x, b, c] = split(mixed, [innerSize, groups * stateSize, groups * stateSize], 2) as [Tensor, Tensor, Tensor];
    const sizes = softplus(f32(add(step, this.parameter(`${path}.dt_bias`))));
    const bounded = low === 0 && high === Infinity ? sizes : minimum(maximum(sizes, low), high);
    const { y, state: ssm } = ssd({
      x: inHeads(f32(x), heads),
      delta: bounded,
      a: neg(exp(f32(this.parameter(`${path}.A_log`)))),
      b: inHeads(f32(b), groups),
      c: inHeads(f32(c), groups),
      d: f32(this.parameter(`${path}.D`)),
      start: state.ssm,
      chunk: config.chunk,
      segmentIds: segments?.ids,
    });
    const gated = mul(reshape(y, [...input.shape.slice(0, 2), innerSize]), silu(f32(gate)));
    return { y: run(`${path}.out_proj`, run(`${path}.norm`, cast(gated, input.dtype))), state: { conv: conv.state, ssm } };
  }
}

/** Mamba-2, in files of transformers and of state-spaces/mamba. */
export const MAMBA2: Architecture<Mamba2ForCausalLM> = architecture<Mamba2Config, Mamba2ForCausalLM>({
  modelTypes: ["mamba2"],
  readConfig: readMamba2Config,
  parameters: mamba2Parameters,
  tied: mambaTied,
  aliases: mambaAliases,
  create: (config, weights, options) => new Mamba2ForCausalLM(config, weights, options),
});
