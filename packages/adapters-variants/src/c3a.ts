import {
  type AdapterMethod,
  type ConfigClass,
  configClass,
  ConfigError,
  div,
  featuresOf,
  type FieldTable,
  gather,
  type Init,
  initParameters,
  integer,
  oneOf,
  pattern,
  reshape,
  sizeOf,
  TARGETING,
  tensor,
  torchUniform,
  transpose,
} from "@weft/tensor-core";
import { additive, requireKind, trained, wide } from "./define.js";

const MAX_BLOCK = 2 ** 16;

/** PEFT 0.21.2's `C3AConfig`. @see peft `tuners/c3a/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  block_size: integer(256, 1, MAX_BLOCK),
  bias: oneOf("none", ["none", "all", "c3a_only"]),
  block_size_pattern: pattern(1, MAX_BLOCK, true),
  init_weights: oneOf<boolean | string | null>("xavier_uniform", [true, false, null, "gaussian", "kaiming_uniform", "xavier_uniform"]),
};

/** The config of a C³A adapter. */
export interface C3AConfigFields {
  readonly blockSize: number;
  readonly initWeights: boolean | "gaussian" | "kaiming_uniform" | "xavier_uniform" | null;
}

export const C3AConfig: ConfigClass<C3AConfigFields> = configClass("C3A", FIELDS);

/**
 * C³A (Chen et al. 2024): ΔW of circulant blocks, ΔW[m·b + k, n·b + j] = w[m, n, (j - k) mod b] / in, for a kernel w [out/b, in/b, b]. Formed, where
 * PEFT convolves by FFT. Linear.
 * @see peft `tuners/c3a/layer.py`, `utils.py`
 */
export const C3A: AdapterMethod<C3AConfigFields> = additive({
  name: "C3A",
  prefix: "c3a_",
  fields: FIELDS,
  configFromShapes: (config, _, { kernel }) => (kernel?.length === 3 ? { ...config, blockSize: kernel[2]! } : config),
  parameters({ blockSize: b, initWeights }, layer) {
    requireKind("C3A", layer);
    const { in: inputs, out } = featuresOf(layer);
    if (inputs % b !== 0 || out % b !== 0) throw new ConfigError(`C3A: block_size ${b} must divide ${inputs} inputs and ${out} outputs`);
    const init: Init = initWeights === "gaussian" ? { kind: "normal", std: 1 } : { kind: "zeros" };
    return { kernel: trained([out / b, inputs / b, b], init) };
  },
  keys: () => ({ kernel: ["c3a_kernel"] }),
  init(config, layer, generator) {
    const specs = C3A.parameters(config, layer);
    const { in: inputs, out } = featuresOf(layer);
    const bounds = { xavier_uniform: Math.sqrt(6 / (inputs + out)), kaiming_uniform: Math.sqrt(1 / inputs) };
    const name = config.initWeights === false ? "xavier_uniform" : config.initWeights;
    if (name !== "xavier_uniform" && name !== "kaiming_uniform") return Promise.resolve({ params: initParameters(specs, generator) });
    const { shape } = specs.kernel!;
    return Promise.resolve({ params: { kernel: tensor(torchUniform(generator, sizeOf(shape), -bounds[name], bounds[name]), { shape }) } });
  },
  change({ kernel }, { blockSize: b }, layer) {
    const { in: inputs, out } = featuresOf(layer);
    const shift = Int32Array.from({ length: b * b }, (_, at) => ((at % b) - Math.floor(at / b) + b) % b);
    const blocks = gather(wide(kernel!), tensor(shift, { shape: [b, b] }), 2);
    return div(reshape(transpose(blocks, [0, 2, 1, 3]), [out, inputs]), inputs);
  },
});
