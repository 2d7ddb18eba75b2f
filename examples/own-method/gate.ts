// A method of our own: a multiplicative gate of rank 1, W' = W ⊙ (1 + u·vᵀ). Everything else (training, merging, files, mixed batches) follows from this.
import {
  add,
  type AdapterMethod,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  featuresOf,
  type FieldTable,
  finite,
  forwardBase,
  forwardWithoutBias,
  mul,
  reshape,
  TARGETING,
} from "@weft/tensor-core";

const FIELDS: FieldTable = { ...TARGETING, gate_init: finite(0.01) };

export interface GateConfigFields {
  /** Standard deviation of v at the start; u begins as zeros, so that a new gate changes nothing. */
  readonly gateInit: number;
}

export const GateConfig: ConfigClass<GateConfigFields> = configClass("GATE", FIELDS);

export const GATE: AdapterMethod<GateConfigFields> = {
  name: "GATE",
  prefix: "gate_",
  fields: FIELDS,
  parameters({ gateInit }, layer) {
    if (layer.kind !== "linear" || layer.transposed) throw new ConfigError(`GATE is for linear layers, got ${layer.kind}`);
    const { in: inputs, out } = featuresOf(layer);
    return {
      u: { shape: [out], init: { kind: "zeros" }, trainable: true },
      v: { shape: [inputs], init: { kind: "normal", std: gateInit }, trainable: true },
    };
  },
  keys: () => ({ u: ["gate_u"], v: ["gate_v"] }),
  transform(weight, { u, v }, { scale }) {
    const wide = cast(weight, "f32");
    return add(wide, mul(wide, mul(mul(reshape(u!, [-1, 1]), v!), scale)));
  },
  // (W ⊙ u·vᵀ)·x = u ⊙ W·(v ⊙ x): a second pass through the layer instead of a second weight.
  forward(x, base, { u, v }, { layer, scale }) {
    const y = forwardBase(layer, base, x);
    const gated = forwardWithoutBias(layer, base, mul(x, v!));
    return cast(add(y, mul(gated, mul(u!, scale))), y.dtype);
  },
};
