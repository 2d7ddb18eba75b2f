import {
  type AdapterMethod,
  add,
  cast,
  type ConfigClass,
  configClass,
  float,
  forwardBase,
  initParameter,
  integer,
  linear,
  matmul,
  mean,
  mul,
  reshape,
  softmax,
  strength,
} from "@weft/tensor-core";
import { basics, count, fields, last, rank, trained, wide, checkRank } from "@weft/tensor-core/methods";

/** The config of a LILY adapter. */
export interface LilyConfigFields {
  readonly r: number;
  /** So many layers in a row have one A in common. */
  readonly strideA: number;
  /** Number of B, which all layers of one target have in common. */
  readonly numB: number;
  readonly scaling: number;
  readonly initWeights: boolean;
}

const FIELDS = fields("lily", ["init_weights"], {
  r: rank(32),
  stride_A: count(1),
  num_B: integer(2, 2, 65536),
  scaling: strength(float(1)),
});

/** PEFT's `LilyConfig` (`peft_type` LILY): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const LilyConfig: ConfigClass<LilyConfigFields> = configClass("LILY", FIELDS);

const [A, B, ROUTER] = ["A.weight", "B.weight", "router.weight"];

/**
 * Lily (Zhong et al. 2024): y + scaling·(x·Aᵀ)·B̄, where B̄ [r, out] = Σ pₑ·Bₑ is mixed by the mean over all positions of the batch of
 * softmax(x·Aᵀ·routerᵀ). A [r, in] is one for `stride_A` layers in a row, B [num_B·r, out] one for all layers of the same target and shape;
 * the router [num_B, r] is the layer's own. Linear.
 * @see peft `tuners/lily/layer.py`, `model.py` _post_injection_hook
 */
export const LILY: AdapterMethod<LilyConfigFields> = {
  ...basics<LilyConfigFields>({
    name: "LILY",
    prefix: "lily_",
    fields: FIELDS,
    checkNew: checkRank,
    parameters: ({ r, numB, initWeights }, size) => ({
      [A]: trained([r, size.in], "kaimingUniform"),
      [B]: trained([numB * r, size.out], last(initWeights)),
      [ROUTER]: trained([numB, r], "kaimingUniform"),
    }),
    names: [A, B, ROUTER],
  }),
  unmergeable: "its mix of B depends on the input",
  acrossRows: "its mix of B is averaged over the batch",
  async init(config, layer, generator) {
    const specs = LILY.parameters(config, layer);
    // torch fills each of them when it is made, and again: A, the router, B.
    for (const name of [A, B, ROUTER]) initParameter({ ...specs[name]!, init: { kind: "kaimingUniform" } }, generator);
    return { params: Object.fromEntries([A, ROUTER, B].map((name) => [name, initParameter(specs[name]!, generator)])) };
  },
  tied({ strideA }, layers) {
    const groups = new Map<string, string[]>();
    return layers.map(({ path, target, layer }) => {
      const kind = `${layer.shape} ${target}`;
      const group = groups.get(kind) ?? [];
      groups.set(kind, group);
      const i = group.push(path) - 1;
      return { [A]: group[i - (i % strideA)]!, [B]: group[0]! };
    });
  },
  forward(x, base, params, { layer, config, scale }) {
    const y = forwardBase(layer, base, x);
    const { r, numB, scaling } = config;
    const hidden = linear(wide(x), wide(params[A]!));
    const chances = mean(reshape(softmax(linear(hidden, wide(params[ROUTER]!))), [-1, numB]), { axes: [0], keepDims: true });
    const mixed = reshape(matmul(chances, reshape(wide(params[B]!), [numB, -1])), [r, -1]);
    return cast(add(y, mul(matmul(hidden, mixed), scaling * scale)), y.dtype);
  },
};
