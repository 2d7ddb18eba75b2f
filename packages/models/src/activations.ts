import { abs, add, ConfigError, exp, gelu, log, maximum, mul, neg, relu, silu, tanh, type Tensor } from "@weft/tensor-core";

/** GELU by its approximation with tanh: x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))). */
const geluTanh = (x: Tensor): Tensor =>
  mul(mul(x, 0.5), add(tanh(mul(add(x, mul(mul(mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI))), 1));

/** log(1 + e^x), without overflow. */
export const softplus = (x: Tensor): Tensor => add(maximum(x, 0), log(add(exp(neg(abs(x))), 1)));

/** Activations by the names of a config.json. @see transformers `activations.py` ACT2FN */
const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  gelu,
  gelu_fast: geluTanh,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  relu,
  silu,
  swish: silu,
  tanh,
};

/** @throws ConfigError kind `unsupported-model` for one that is not here */
export function activationOf(name: string, field: string): (x: Tensor) => Tensor {
  if (Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name]!;
  throw new ConfigError(`config.json: ${field} is ${JSON.stringify(name)}, expected one of ${Object.keys(ACTIVATIONS).join(", ")}`, {
    kind: "unsupported-model",
  });
}
