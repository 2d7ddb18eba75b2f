import { ADAPTER_METHODS } from "@weft/methods";
import {
  AdaptedLayer,
  type AdapterMethod,
  createAdapter,
  type Field,
  type LayerInput,
  type Params,
  randomKey,
  readFields,
  sizeOf,
  type Tensor,
  tensor,
  torchGenerator,
  torchNormal,
  WeftError,
} from "@weft/tensor-core";
import { describe, expect, it } from "vitest";

const drawn = (shape: readonly number[], seed: number): Tensor =>
  tensor(torchNormal(torchGenerator(seed), sizeOf(shape), 0, 0.3), { shape });
const geometry = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
const LAYERS: readonly { readonly input: LayerInput; readonly x: Tensor }[] = [
  { input: { weight: drawn([16, 16], 1), bias: drawn([16], 2) }, x: drawn([3, 16], 3) },
  { input: { kind: "conv2d", weight: drawn([8, 8, 3, 3], 4), conv: geometry }, x: drawn([1, 8, 4, 4], 5) },
];

const filled = (params: Params, seed: number): Params =>
  Object.fromEntries(Object.entries(params).map(([name, t], i) => [name, t.dtype === "f32" ? drawn(t.shape, seed + i) : t]));

/** A result, or its refusal. */
async function outcome(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof WeftError) return `refused: ${error.message}`;
    throw error;
  }
}

/** What a config makes of layers: parameters as they begin; with other ones, what they compute in evaluation and in training, and merge to. */
async function effectOf(method: AdapterMethod<never>, values: object): Promise<string> {
  const numbers = async (t: Tensor): Promise<string[]> => [...(await t.data())].map((v) => v.toPrecision(4));
  const effects = LAYERS.map(({ input, x }) =>
    outcome(async () => {
      const config = readFields(method.fields, values as never);
      const fresh = (await createAdapter(method, config as never, { fc: input }, { onWarning: () => {} })).get("fc");
      const { params, shared, layer, base } = fresh;
      const begin = await Promise.all(Object.entries({ ...params, ...shared }).map(async ([name, t]) => [name, t.shape, await numbers(t)]));
      const trained = new AdaptedLayer(method, fresh.config, layer, base, filled(params, 10), { shared: filled(shared, 30) });
      const passes = [undefined, 1, 2, 3, 4, 5].map((key) =>
        outcome(() => numbers(trained.forward(x, { dropoutKey: key === undefined ? key : randomKey(key) }))),
      );
      return [begin, await Promise.all(passes), await outcome(() => numbers(trained.delta()))];
    }),
  );
  return JSON.stringify(await Promise.all(effects));
}

const CANDIDATES: readonly unknown[] = [true, false, 0, 1, 2, 3, 4, 8, 0.5, 0.01, -2, ["x"], [1, 2], "x", { fc: 2 }, { fc: [true] }];
/** Other values that a field takes. */
function others({ check, expected, fallback }: Field): unknown[] {
  const named = [...expected.matchAll(/"([^"]*)"/g)].map(([, name]) => name);
  return [...named, ...CANDIDATES].filter((value) => check(value) && JSON.stringify(value) !== JSON.stringify(fallback));
}

/** Sizes that go with small layers; by method, where others are needed. */
const SMALL: { readonly [field: string]: unknown } = {
  r: 2,
  n_frequency: 8,
  num_vectors: 8,
  vector_length: 4,
  topk: 2,
  init_r: 4,
  target_r: 2,
  block_size: 4,
  group_size: 4,
  sparsity: 0.5,
};
const OWN: { readonly [method: string]: { readonly [field: string]: unknown } } = {
  OFT: { r: 0, oft_block_size: 4 },
  LOKR: { r: 1 },
};
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
};
const about = new Set(Object.values(ABOUT).flat());

/** Methods that are on whole models or other layers, whose own tests have their fields. */
const ELSEWHERE = ["FROD", "LN_TUNING", "NORM", "TRAINABLE_TOKENS"];
const METHODS = [...ADAPTER_METHODS].flatMap(([name, { method }]) =>
  method && !method.wholes && !method.mix && !method.choose && !method.takesTasks && !ELSEWHERE.includes(name)
    ? [[name, method] as const]
    : [],
);

describe.each(METHODS)("%s", (name, method) => {
  it("acts on every field of its config, refuses it, or says what it is about", async () => {
    const config = (more: { readonly [field: string]: unknown }): object => {
      const wanted = { ...SMALL, ...OWN[name], ...more };
      return Object.fromEntries(Object.entries(wanted).filter(([field, value]) => method.fields[field]?.check(value)));
    };
    expect(await effectOf(method, config({}))).toContain("[[");
    const silent: string[] = [];
    for (const [field, spec] of Object.entries(method.fields)) {
      if (about.has(field) || about.has(`${name}.${field}`)) continue;
      const plain = await effectOf(method, config({ ...WITH[field] }));
      let acts = false;
      for (const value of others(spec)) acts ||= (await effectOf(method, config({ ...WITH[field], [field]: value }))) !== plain;
      if (!acts) silent.push(field);
    }
    expect(silent).toEqual([]);
  });
});
