import {
  add,
  type AdapterMethod,
  cast,
  configClass,
  type ConfigClass,
  ConfigError,
  div,
  forwardBase,
  gather,
  greaterEqual,
  initParameter,
  less,
  logicalAnd,
  matmul,
  maximum,
  minimum,
  mul,
  oneOf,
  reshape,
  ShapeError,
  type Shape,
  sigmoid,
  sizeOf,
  sum,
  TARGETING,
  tensor,
  type Tensor,
  type TorchGenerator,
  torchKaimingUniform,
  transpose,
  where,
} from "@weft/tensor-core";
import { basics, BY_NAME, count, fields, last, rank, requireMultiples, trained, wide, checkRank } from "@weft/tensor-core/methods";

/** The config of a Poly adapter. */
export interface PolyConfigFields {
  readonly r: number;
  readonly nTasks: number;
  /** Number of LoRAs. */
  readonly nSkills: number;
  /** Parts of the features that are mixed apart from one another; more than 1 is multi-head routing. */
  readonly nSplits: number;
  readonly initWeights: boolean;
}

const FIELDS = fields(
  "poly",
  ["init_weights"],
  { r: rank(8), poly_type: oneOf("poly", ["poly"]), n_tasks: count(1), n_skills: count(4), n_splits: count(1) },
  { ...BY_NAME, exclude_modules: TARGETING.exclude_modules! },
);

/** PEFT's `PolyConfig` (`peft_type` POLY): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const PolyConfig: ConfigClass<PolyConfigFields> = configClass("POLY", FIELDS);

const [A, B, LOGITS] = ["lora_A", "lora_B", "router.module_logits"];
/** PEFT's guard against a division by zero. */
const EPS = 1e-12;

/** Factors of all splits and skills, each drawn as a Linear's weight [b, a] and turned; torch draws skill by skill. */
function turnedFactors([splits, skills, a, b]: readonly number[], generator: TorchGenerator): Tensor {
  const values = new Float32Array(splits! * skills! * a! * b!);
  for (let skill = 0; skill < skills!; skill++)
    for (let split = 0; split < splits!; split++) {
      const at = (split * skills! + skill) * a! * b!;
      torchKaimingUniform(generator, [b!, a!]).forEach((value, i) => (values[at + (i % a!) * b! + Math.floor(i / a!)] = value));
    }
  return tensor(values, { shape: [splits!, skills!, a!, b!] });
}

/** The share of each skill per row and split [splits, batch, skills]; NaN for a task that is not one of the config's. */
function shares(logits: Tensor, tasks: Tensor, { nTasks, nSplits, nSkills }: PolyConfigFields): Tensor {
  const chosen = sigmoid(gather(logits, minimum(maximum(tasks, 0), nTasks - 1), 0));
  const known = reshape(logicalAnd(greaterEqual(tasks, 0), less(tasks, nTasks)), [-1, 1]);
  const skills = transpose(reshape(where(known, chosen, NaN), [-1, nSplits, nSkills]), [1, 0, 2]);
  return div(skills, add(sum(skills, { axes: [-1], keepDims: true }), EPS));
}

/** One factor [splits, skills, a, b] per row, mixed: [splits, batch, a, b]. */
function mixed(share: Tensor, factor: Tensor): Tensor {
  const [splits, skills, a, b] = factor.shape as [number, number, number, number];
  return reshape(matmul(share, reshape(factor, [splits, skills, a * b])), [splits, -1, a, b]);
}

/**
 * Polytropon (Ponti et al. 2022) and multi-head routing (Caccia et al. 2022): y + x·A·B/r, whose A and B are those of the row's task: of each
 * of `n_splits` parts of the features, Σ wₛ·Aₛ and Σ wₛ·Bₛ over the skills, w = σ(logits[task]) divided by its sum. A [splits, skills, in/splits, r],
 * B [splits, skills, r, out/splits], logits [tasks, splits·skills]. In training PEFT draws w around σ(logits); that is not done here. Linear.
 * @see peft `tuners/poly/layer.py`, `router.py`
 */
export const POLY: AdapterMethod<PolyConfigFields> = {
  ...basics<PolyConfigFields>({
    name: "POLY",
    prefix: "poly_",
    fields: FIELDS,
    checkNew: checkRank,
    parameters({ r, nTasks, nSkills, nSplits, initWeights }, size) {
      requireMultiples("POLY", "n_splits", nSplits, [size.in, size.out]);
      return {
        [A]: trained([nSplits, nSkills, size.in / nSplits, r], "kaimingUniform"),
        [B]: trained([nSplits, nSkills, r, size.out / nSplits], last(initWeights)),
        [LOGITS]: trained([nTasks, nSplits * nSkills], { kind: "uniform", bound: 1e-3 }),
      };
    },
    names: [A, B, LOGITS],
  }),
  unmergeable: "its factors depend on the task of each row",
  takesTasks: true,
  async init(config, layer, generator) {
    const specs = POLY.parameters(config, layer);
    const factor = (name: string, shape: Shape): Tensor =>
      specs[name]!.init.kind === "zeros" ? initParameter(specs[name]!, generator) : turnedFactors(shape, generator);
    const params = Object.fromEntries([A, B].map((name) => [name, factor(name, specs[name]!.shape)]));
    return { params: { ...params, [LOGITS]: initParameter(specs[LOGITS]!, generator) } };
  },
  forward(x, base, params, { layer, config, scale, taskIds }) {
    if (!taskIds) throw new ConfigError("POLY needs the task of each row", { hint: "give taskIds, i32 [batch], to forward" });
    const [batch] = x.shape as [number];
    if (taskIds.shape.join() !== `${batch}`)
      throw new ShapeError(`POLY: taskIds is [${taskIds.shape}], expected [${batch}], one for each row of the batch`);
    const y = forwardBase(layer, base, x);
    const share = shares(wide(params[LOGITS]!), taskIds, config);
    const { r } = config;
    const a = reshape(transpose(mixed(share, wide(params[A]!)), [1, 0, 2, 3]), [batch, -1, r]);
    const b = reshape(transpose(mixed(share, wide(params[B]!)), [1, 2, 0, 3]), [batch, r, -1]);
    const rows = reshape(wide(x), [batch, sizeOf(x.shape.slice(1, -1)), x.shape.at(-1)!]);
    return cast(add(y, reshape(mul(matmul(matmul(rows, a), b), scale / r), y.shape)), y.dtype);
  },
};
