import {
  type AdapterMethod,
  boolean,
  configClass,
  type ConfigClass,
  featuresOf,
  finite,
  mul,
  reshape,
  slice,
  swapLast,
  strength,
} from "@weft/tensor-core";
import { BY_LAYER, fields, fixed, lowRank, normal, rank, seed, type Size, times, trained } from "@weft/tensor-core/methods";
import { randomBases } from "./random-bases.js";

/** The config of a RandLoRA adapter. */
export interface RandLoraConfigFields {
  /** Rank of each of the random bases, which together have full rank. */
  readonly r: number;
  readonly randloraAlpha: number;
  /** Seed of the bases that all layers share. */
  readonly projectionPrngKey: number;
  readonly sparse: boolean;
  readonly verySparse: boolean;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const FIELDS = fields(
  "randlora",
  ["dropout", "fan_in_fan_out", "bias", "init_weights"],
  {
    r: rank(32),
    randlora_alpha: strength(finite(640)),
    projection_prng_key: seed(0),
    save_projection: boolean(true),
    sparse: boolean(false),
    very_sparse: boolean(false),
  },
  BY_LAYER,
);

/** PEFT's `RandLoraConfig` (`peft_type` RANDLORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const RandLoraConfig: ConfigClass<RandLoraConfigFields> = configClass("RANDLORA", FIELDS);

const sides = (size: Size): [min: number, max: number] => [Math.min(size.in, size.out), Math.max(size.in, size.out)];

/**
 * RandLoRA (Albert et al. 2025): ΔW = s·Σ_k B_k·diag(λ_k)·A·diag(γ_k) over random bases that all layers share (cut to each layer's sides), with
 * s = alpha/r and learned λ [r, n], γ [n, min]; A lies on the smaller side. A [r, 1, min], B [max, n, r]. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/randlora/layer.py`, `model.py`
 */
export const RANDLORA: AdapterMethod<RandLoraConfigFields> = lowRank({
  name: "RANDLORA",
  prefix: "randlora_",
  fields: FIELDS,
  parameters({ r, initWeights }, size) {
    const [min, max] = sides(size);
    const n = Math.ceil(min / r);
    return {
      lambda: trained([r, n], initWeights ? "zeros" : normal()),
      gamma: trained([n, min], { kind: "constant", value: 1 / (initWeights ? Math.max(n, min) : max) }),
    };
  },
  names: ["lambda", "gamma"],
  rounding: () => ({ merge: "twice", safeMerge: "once" }),
  shared: {
    parameters({ r }, modules) {
      const sizes = modules.map(({ layer }) => featuresOf(layer));
      const [min, max] = sides({ in: Math.max(...sizes.map((s) => s.in)), out: Math.max(...sizes.map((s) => s.out)) });
      return { sharedA: fixed([r, 1, min]), sharedB: fixed([max, Math.ceil(min / r), r]) };
    },
    keys: { sharedA: ["randlora_A"], sharedB: ["randlora_B"] },
    rebuild({ projectionPrngKey, sparse, verySparse }, specs) {
      const [a, b] = [specs.sharedA!.shape, specs.sharedB!.shape];
      const { A, B } = randomBases(projectionPrngKey, a, b, verySparse ? Math.sqrt(a[2]!) : sparse ? 3 : undefined);
      return { sharedA: A, sharedB: B };
    },
  },
  factors({ lambda, gamma, sharedA, sharedB }, { r, randloraAlpha }, size) {
    const [min, max] = sides(size);
    const n = gamma!.shape[0]!;
    const scaled = mul(mul(reshape(lambda!, [r, n, 1]), slice(sharedA!, [undefined, undefined, [0, min]])), gamma!);
    // PEFT flattens the one by ranks and then bases, the other by bases and then ranks.
    const small = times(reshape(scaled, [r * n, min]), randloraAlpha / r);
    const large = reshape(
      slice(sharedB!, [
        [0, max],
        [0, n],
      ]),
      [max, n * r],
    );
    return size.in === min ? [small, large] : [swapLast(large), swapLast(small)];
  },
});
