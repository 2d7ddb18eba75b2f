import {
  type AdapterMethod,
  configClass,
  type ConfigClass,
  div,
  gather,
  type Init,
  oneOf,
  pattern,
  reshape,
  tensor,
  transpose,
} from "@weft/tensor-core";
import { additive, BY_LAYER, count, fields, normal, requireMultiples, roundsDelta, trained } from "@weft/tensor-core/methods";

/** The config of a C³A adapter. */
export interface C3AConfigFields {
  readonly blockSize: number;
  /** `true` and null begin with zeros, false as `xavier_uniform`. */
  readonly initWeights: boolean | "gaussian" | "kaiming_uniform" | "xavier_uniform" | null;
}

const FIELDS = fields(
  "c3a",
  ["bias"],
  {
    block_size: count(256),
    block_size_pattern: pattern("block_size", 1, 2 ** 31 - 1, true),
    init_weights: oneOf<boolean | string | null>("xavier_uniform", ["xavier_uniform", "kaiming_uniform", "gaussian", true, false, null]),
  },
  BY_LAYER,
);

/** PEFT's `C3AConfig` (`peft_type` C3A): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const C3AConfig: ConfigClass<C3AConfigFields> = configClass("C3A", FIELDS);

const uniform = (bound: number): Init => ({ kind: "uniform", bound });

/**
 * C³A (Chen et al. 2024): ΔW of circulant blocks, ΔW[m·b + k, n·b + j] = w[m, n, (j - k) mod b] / in, for a kernel w [out/b, in/b, b]. Formed, where
 * PEFT convolves by FFT. Linear.
 * @see peft `tuners/c3a/layer.py`, `utils.py`
 */
export const C3A: AdapterMethod<C3AConfigFields> = additive({
  name: "C3A",
  defaultTargets: { models: { gpt2: ["mlp.c_proj"], gpt_bigcode: ["mlp.c_proj"] } },
  prefix: "c3a_",
  fields: FIELDS,
  configFromShapes: (config, _, { kernel }) => (kernel?.length === 3 ? { ...config, blockSize: kernel[2]! } : config),
  parameters({ blockSize: b, initWeights }, size) {
    requireMultiples("C3A", "block_size", b, [size.in, size.out]);
    const inits = {
      gaussian: normal(),
      kaiming_uniform: uniform(Math.sqrt(1 / size.in)),
      xavier_uniform: uniform(Math.sqrt(6 / (size.in + size.out))),
    };
    const init = initWeights === true || initWeights === null ? "zeros" : inits[initWeights || "xavier_uniform"];
    return { kernel: trained([size.out / b, size.in / b, b], init) };
  },
  names: ["kernel"],
  rounding: roundsDelta,
  change({ kernel }, { blockSize: b }, size) {
    const shift = Int32Array.from({ length: b * b }, (_, at) => ((at % b) - Math.floor(at / b) + b) % b);
    const blocks = gather(kernel!, tensor(shift, { shape: [b, b] }), 2);
    return div(reshape(transpose(blocks, [0, 2, 1, 3]), [size.out, size.in]), size.in);
  },
});
