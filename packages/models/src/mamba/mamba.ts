import { add, cast, div, exp, mul, neg, reshape, selectiveScan, silu, split, sub, type Tensor, where } from "@weft/tensor-core";
import { softplus } from "../activations.js";
import { type Architecture, architecture } from "../architecture.js";
import { type ConfigJson, fieldsOf } from "../config-fields.js";
import type { ModelOptions, RunLayer } from "../model.js";
import { depthwise, linear, type ModuleDescription, other, parametersOf } from "../modules.js";
import type { Segments } from "../segments.js";
import type { Weights } from "../weights.js";
import { mambaAliases, MambaModel, mambaModules, type MambaState, mambaTied, masked, type Mixed, type Rows } from "./backbone.js";
import { inTransformersNames, type MambaBase, readMambaBase } from "./config.js";

/** What the forward pass needs of a Mamba's `config.json`. */
export interface MambaConfig extends MambaBase {
  readonly modelType: "mamba";
  /** Rank of the projection that step sizes come from, R. */
  readonly timeStepRank: number;
}

/** Reads a `config.json`, that of transformers or of state-spaces. @throws ConfigError naming the field */
export function readMambaConfig(given: ConfigJson): MambaConfig {
  const json = inTransformersNames(given);
  const base = readMambaBase(json, "mamba", 16, true);
  const auto = Math.ceil(base.hiddenSize / 16);
  const timeStepRank = json["time_step_rank"] === "auto" ? auto : fieldsOf(json, "config.json").integer("time_step_rank", auto);
  return { ...base, modelType: "mamba", timeStepRank };
}

function* mixer(c: MambaConfig): Generator<[name: string, module: ModuleDescription]> {
  yield ["conv1d", depthwise(c.innerSize, c.kernel, c.convBias)];
  yield ["act", other];
  yield ["in_proj", linear(c.hiddenSize, 2 * c.innerSize, c.projectionBias)];
  yield ["x_proj", linear(c.innerSize, c.timeStepRank + 2 * c.stateSize)];
  yield ["dt_proj", linear(c.timeStepRank, c.innerSize, true)];
  yield ["out_proj", linear(c.innerSize, c.hiddenSize, c.projectionBias)];
}

function mambaParameters(c: MambaConfig): Map<string, readonly number[]> {
  const shapes = parametersOf(mambaModules(c, mixer(c)));
  for (let i = 0; i < c.layers; i++) {
    shapes.set(`backbone.layers.${i}.mixer.A_log`, [c.innerSize, c.stateSize]);
    shapes.set(`backbone.layers.${i}.mixer.D`, [c.innerSize]);
  }
  return shapes;
}

/** A step after which nothing is left of a state, e^{step·A} = 0, and which an input divided by it enters with the size that it has: both far from the ends of f32. */
const FORGETTING_STEP = 1e18;

/** Inputs and step sizes [B, T, E] with which the scan begins anew at each document. */
function forgetting(x: Tensor, delta: Tensor, { starts }: Segments): { readonly x: Tensor; readonly delta: Tensor } {
  const begins = reshape(starts, [...starts.shape, 1]);
  return { x: where(begins, div(mul(x, delta), FORGETTING_STEP), x), delta: where(begins, FORGETTING_STEP, delta) };
}

/**
 * Mamba: selective state spaces ({@link selectiveScan}) in place of attention. Every projection goes through the hook, `dt_proj` and `out_proj` too, which
 * transformers reads past its adapters.
 * @see Gu & Dao 2023; transformers `models/mamba/modeling_mamba.py`
 */
export class MambaForCausalLM extends MambaModel<MambaConfig> {
  constructor(config: MambaConfig, weights: Weights, options: ModelOptions = {}) {
    super(config, weights, options, mambaModules(config, mixer(config)));
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): MambaForCausalLM {
    return new MambaForCausalLM(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  protected stateShapes(batch: number): { conv: number[]; ssm: number[] } {
    const { innerSize, kernel, stateSize } = this.config;
    return { conv: [batch, innerSize, kernel - 1], ssm: [batch, innerSize, stateSize] };
  }

  protected mix(path: string, input: Tensor, run: RunLayer, state: MambaState, { mask, segments }: Rows): Mixed {
    const { innerSize, timeStepRank, stateSize } = this.config;
    const f32 = (t: Tensor): Tensor => cast(t, "f32");
    const [inner, gate] = split(run(`${path}.in_proj`, masked(input, mask)), [innerSize, innerSize], 2) as [Tensor, Tensor];
    const conv = this.convolve(`${path}.conv1d`, masked(inner, mask), run, state.conv, segments);
    const x = masked(silu(conv.y), mask);
    const [step, b, c] = split(run(`${path}.x_proj`, x), [timeStepRank, stateSize, stateSize], 2) as [Tensor, Tensor, Tensor];
    const sizes = f32(softplus(run(`${path}.dt_proj`, step)));
    const { x: entering, delta } = segments ? forgetting(f32(x), sizes, segments) : { x: f32(x), delta: sizes };
    const skip = f32(this.parameter(`${path}.D`));
    const scanned = selectiveScan({
      x: entering,
      delta,
      a: neg(exp(f32(this.parameter(`${path}.A_log`)))),
      b: f32(b),
      c: f32(c),
      d: skip,
      start: state.ssm,
    });
    const y = segments ? add(scanned.y, mul(skip, sub(f32(x), entering))) : scanned.y;
    return { y: run(`${path}.out_proj`, mul(cast(y, input.dtype), silu(gate))), state: { conv: conv.state, ssm: scanned.state } };
  }
}

/** Mamba, in files of transformers and of state-spaces/mamba. */
export const MAMBA: Architecture<MambaForCausalLM> = architecture<MambaConfig, MambaForCausalLM>({
  modelTypes: ["mamba"],
  readConfig: readMambaConfig,
  parameters: mambaParameters,
  tied: mambaTied,
  aliases: mambaAliases,
  create: (config, weights, options) => new MambaForCausalLM(config, weights, options),
});
