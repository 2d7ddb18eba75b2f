import { ADAPTER_METHODS } from "@weft/methods";
import {
  AdaptedLayer,
  type AdapterMethod,
  createAdapter,
  type LayerInput,
  type Params,
  randomKey,
  readFields,
  specOf,
  type Tensor,
  tensor,
} from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { digits, drawn, type FieldValues, filled, outcome, silentFields } from "../testing/every-field.js";
import { smallConfig } from "../testing/small-config.js";

interface Sample {
  readonly input: LayerInput;
  readonly x: Tensor;
}
const geometry = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
const LINEAR: Sample = { input: { weight: drawn([16, 16], 1), bias: drawn([16], 2) }, x: drawn([3, 16], 3) };
const CONV: Sample = { input: { kind: "conv2d", weight: drawn([8, 8, 3, 3], 4), conv: geometry }, x: drawn([1, 8, 4, 4], 5) };
const EMBEDDING: Sample = { input: { kind: "embedding", weight: drawn([6, 8], 6) }, x: tensor(Int32Array.of(0, 1, 2, 5), { shape: [4] }) };
const NORM: Sample = {
  input: { kind: "norm", weight: drawn([8], 7), bias: drawn([8], 8), norm: { kind: "layer", eps: 1e-5 } },
  x: drawn([3, 8], 9),
};
/** Layers of methods that are for others than linear ones and convolutions. */
const LAYERS: { readonly [method: string]: readonly Sample[] } = { NORM: [NORM], TRAINABLE_TOKENS: [EMBEDDING] };

type Layer = AdaptedLayer<never>;
type Method = AdapterMethod<never>;

async function created(method: Method, config: never, input: LayerInput): Promise<Layer> {
  return (await createAdapter(method, config, { fc: input }, { onWarning: () => {} })).get("fc");
}

/** As a file has it, for methods of which no new adapter is made here: the shared projection V, and places of S beside its diagonal. */
async function loadedFrod(method: Method, config: never, input: LayerInput): Promise<Layer> {
  const { layer, base } = specOf(config, input);
  const shapes = (specs: { readonly [name: string]: { readonly shape: readonly number[] } }): Params =>
    Object.fromEntries(
      Object.entries(specs).map(([name, { shape }], i) => {
        const places =
          shape[0] === 2 ? Int32Array.from({ length: 2 * (shape[1] ?? 1) }, (_, j) => (j % 15) + (j < shape[1]! ? 0 : 1)) : undefined;
        return [name, places ? tensor(places, { shape }) : drawn(shape, 40 + i)];
      }),
    );
  const shared = shapes(method.shared!.parameters(config, [{ path: "fc", layer }]));
  const own = shapes(method.parameters(config, layer));
  const origin = { path: "fc", weight: () => base.weight, bias: () => base.bias, index: 0, count: 1 };
  const { config: found = config, params } = await method.derived!.derive(config, layer, origin, { ...shared, ...own }, false);
  return new AdaptedLayer(method, found, layer, base, own, { shared: { ...shared, ...params } });
}

/** What a config makes of layers: parameters as they begin; with other ones, what they compute in evaluation and in training, and merge to. */
async function effectOf(method: Method, values: FieldValues): Promise<string> {
  const effects = (LAYERS[method.name] ?? [LINEAR, CONV]).map(({ input, x }) => {
    const see = async (make: typeof created): Promise<unknown> => {
      const config = readFields(method.fields, values) as never;
      const { params, shared, layer, base, config: own } = await make(method, config, input);
      const begin = await Promise.all(Object.entries({ ...params, ...shared }).map(async ([name, t]) => [name, t.shape, await digits(t)]));
      const trained = new AdaptedLayer(method, own, layer, base, filled(params, 10), { shared: filled(shared, 30) });
      const passes = [undefined, 1, 2, 3, 4, 5].map((key) =>
        outcome(() => digits(trained.forward(x, { dropoutKey: key === undefined ? key : randomKey(key) }))),
      );
      return [begin, await Promise.all(passes), await outcome(() => digits(trained.delta()))];
    };
    const ways = method.name === "FROD" ? [created, loadedFrod] : [created];
    return Promise.all(ways.map((make) => outcome(() => see(make))));
  });
  return JSON.stringify(await Promise.all(effects));
}

/** What has to be on for a field to matter. */
const WITH: { readonly [field: string]: { readonly [field: string]: unknown } } = {
  qalora_group_size: { use_qalora: true },
  rank_dropout_scale: { rank_dropout: 0.5 },
  svd_threshold: { use_dynamic_rank: true, r: 8, subspace_rank: 4 },
  use_dynamic_rank: { svd_threshold: 0.5, r: 8, subspace_rank: 4 },
  mini_r: { init_weights: "mini" },
  psoft_svd_lowrank_niter: { psoft_svd: "lowrank" },
  random_seed: { psoft_svd: "lowrank" },
  num_cayley_neumann_terms: { use_cayley_neumann: true },
  cayley_neumann_eps: { use_cayley_neumann: true },
  eps: { coft: true },
  init_scale: { init_weights: false },
  init_v_bound: { init_weights: "uniform" },
};

/** Fields that change nothing of a layer by itself: what else they are about. Those of one method under its name. */
const ABOUT: { readonly [kind: string]: readonly string[] } = {
  "which modules of a model are adapted": ["target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"],
  "layers of Megatron-LM, which no model here has": ["megatron_config", "megatron_core"],
  "how the layers of an adapter share": ["ensure_weight_tying", "LILY.stride_A", "TINYLORA.weight_tying", "WAVEFT.proportional_parameters"],
  "what is saved": ["save_projection", "save_precomputed_indices", "save_only_topk_weights"],
  "the schedule of RankAllocator": ["target_r", "tinit", "tfinal", "deltaT", "beta1", "beta2", "total_step", "orth_reg_weight"],
  "the schedule of pruning, which is refused itself": [
    "asa_target_subspaces",
    "init_warmup",
    "final_warmup",
    "mask_interval",
    "asa_importance_beta",
    "asa_uncertainty_beta",
    "asa_schedule_exponent",
  ],
  "a variant of LoRA, which AdaLoRA refuses": ["ADALORA.qalora_group_size"],
  "draws, which are those of dropoutKey": ["PVERA.generator_seed"],
  "nothing, in PEFT as well": ["ADALORA.r", "OSF.target_svd_config"],
  "a choice of one": ["SHIRA.mask_type"],
  "how PEFT begins a new adapter, which is refused here: a file holds what came of it": [
    "FROD.init_weights",
    "FROD.projection_prng_key",
    "FROD.regularization_alpha",
  ],
  "how PEFT goes about it, not what comes of it": ["FROD.progressbar", "FROD.runtime_offload_base_weight"],
};
const about = new Set(Object.values(ABOUT).flat());

/** Methods that need a model are walked on one (every-field-of-models.test.ts). */
const METHODS = [...ADAPTER_METHODS].flatMap(([name, { method }]) =>
  method && !method.wholes && !method.mix && !method.takesTasks ? [[name, method] as const] : [],
);

describe.each(METHODS)("%s", (name, method) => {
  it("acts on every field of its config, refuses it, or says what it is about", async () => {
    const values = smallConfig(method);
    const see = (more: FieldValues): Promise<string> => effectOf(method, more);
    expect(await see(values)).toContain("[[[");
    const isElsewhere = (field: string): boolean => about.has(field) || about.has(`${name}.${field}`);
    const needs = Object.fromEntries(
      Object.entries(WITH).map(([field, more]) => [
        field,
        Object.fromEntries(Object.entries(more).filter(([other, value]) => method.fields[other]?.check(value))),
      ]),
    );
    expect(await silentFields({ fields: method.fields, values, needs, isElsewhere, effectOf: see })).toEqual([]);
  });
});
