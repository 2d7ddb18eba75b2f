import type { Initializer, OnnxModel, Use } from "./model.js";

/** A parameter of the PyTorch model that an ONNX model was made of. */
export interface Parameter {
  readonly initializer: Initializer;
  /** The exporter has turned it: it is [in, out] where a linear layer has [out, in]. */
  readonly transposed: boolean;
}

/** The module that a node was made of: `model.layers.0.mlp.up_proj` of `/model/layers.0/mlp/up_proj/MatMul`. */
const moduleOf = ({ node }: Use): string | undefined => {
  const parts = node.split("/").slice(1, -1);
  if (parts.length === 0) return undefined;
  // onnxruntime-genai's name for what transformers calls self_attn.
  return parts.join(".").replace(/\.attn\.(?=[qkvo]_proj$)/, ".self_attn.");
};

/** A right factor of a product. */
const isFactor = ({ op, input }: Use): boolean => op === "MatMul" && input === 1;

/**
 * The parameters of the PyTorch model under their names there. Exporters keep the names of most; of linear layers without bias they keep the transposed weight under a
 * number, or a name of their own, and the module in the name of the node.
 */
export function parametersOf({ initializers, uses, aliases }: OnnxModel): Map<string, Parameter> {
  const parameters = new Map<string, Parameter>();
  const products: [string, Parameter][] = [];
  for (const [name, initializer] of initializers) {
    const factors = (uses.get(name) ?? []).filter(isFactor);
    const isMatrix = initializer.shape.length === 2 && factors.length > 0;
    const keepsName = /\.(?:weight|bias)$/.test(name) && !name.endsWith(".MatMul.weight");
    if (keepsName || !isMatrix) parameters.set(name, { initializer, transposed: isMatrix });
    else
      for (const module of new Set(factors.map(moduleOf)))
        if (module !== undefined) products.push([`${module}.weight`, { initializer, transposed: true }]);
  }
  for (const [name, parameter] of products) if (!parameters.has(name)) parameters.set(name, parameter);
  // Parameters of equal values are one constant.
  for (const [name, of] of aliases) {
    const initializer = initializers.get(of);
    if (initializer && !parameters.has(name)) parameters.set(name, { initializer, transposed: false });
  }
  return parameters;
}

/** What reads a constant: the modules, or nodes of none. */
export const readersOf = ({ uses }: OnnxModel, { name }: Initializer): readonly string[] => [
  ...new Set((uses.get(name) ?? []).map((use) => moduleOf(use) ?? use.node)),
];
