/** LyCORIS's names of what a module's parameters are. */
export type Algorithm = "locon" | "loha" | "ia3" | "lokr" | "full" | "norm" | "diag-oft" | "boft" | "glora" | "tlora";

/** In LyCORIS's order; the first whose parameter is there wins. @see lycoris `modules/__init__.py` get_module */
const MARKS: readonly (readonly [parameter: string, algorithm: Algorithm])[] = [
  ["lora_up.weight", "locon"],
  ["hada_w1_a", "loha"],
  ["on_input", "ia3"],
  ["lokr_w1", "lokr"],
  ["lokr_w1_a", "lokr"],
  ["diff", "full"],
  ["diff_b", "full"],
  ["w_norm", "norm"],
  ["oft_blocks", "diag-oft"],
  ["a1.weight", "glora"],
  ["lambda_layer", "tlora"],
];

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Which algorithm a module's parameters belong to; undefined if none, such as a lone alpha. */
export function detectAlgorithm(parameters: Shapes): Algorithm | undefined {
  const algorithm = MARKS.find(([parameter]) => parameters.has(parameter))?.[1];
  if (algorithm === "locon" && !parameters.has("lora_down.weight")) return undefined;
  return algorithm === "diag-oft" && parameters.get("oft_blocks")!.shape.length === 4 ? "boft" : algorithm;
}

/** The rank that a module's scale is divided by; undefined for algorithms without one. */
export function rankOf(algorithm: Algorithm, parameters: Shapes): number | undefined {
  const at = (name: string, axis: number): number | undefined => parameters.get(name)?.shape[axis];
  if (algorithm === "locon") return at("lora_down.weight", 0);
  if (algorithm === "loha") return at("hada_w1_b", 0);
  if (algorithm === "lokr") return at("lokr_w2_b", 0) ?? at("lokr_w1_b", 0);
  if (algorithm === "glora") return at("a2.weight", 0);
  return algorithm === "tlora" ? at("q_layer.weight", 0) : undefined;
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Output features and all other elements per output of the weight that a module is for; undefined where its shapes do not tell. */
export function weightMatrix(algorithm: Algorithm, parameters: Shapes): readonly [out: number, inputs: number] | undefined {
  const shape = (name: string): readonly number[] => parameters.get(name)?.shape ?? [];
  const kernel = (core: string): number => product(shape(core).slice(2));
  if (algorithm === "locon") {
    const down = shape("lora_down.weight");
    return [shape("lora_up.weight")[0]!, parameters.has("lora_mid.weight") ? down[1]! * kernel("lora_mid.weight") : product(down.slice(1))];
  }
  if (algorithm === "loha") {
    const [a, b] = [shape("hada_w1_a"), shape("hada_w1_b")];
    return parameters.has("hada_t1") ? [a[1]!, b[1]! * kernel("hada_t1")] : [a[0]!, b[1]!];
  }
  if (algorithm === "lokr") {
    const one = parameters.has("lokr_w1") ? shape("lokr_w1") : [shape("lokr_w1_a")[0]!, shape("lokr_w1_b")[1]!];
    const two = parameters.has("lokr_w2")
      ? [shape("lokr_w2")[0]!, product(shape("lokr_w2").slice(1))]
      : parameters.has("lokr_t2")
        ? [shape("lokr_w2_a")[1]!, shape("lokr_w2_b")[1]! * kernel("lokr_t2")]
        : [shape("lokr_w2_a")[0]!, shape("lokr_w2_b")[1]!];
    return [one[0]! * two[0]!, one[1]! * two[1]!];
  }
  if (algorithm === "full" && parameters.has("diff")) return [shape("diff")[0]!, product(shape("diff").slice(1))];
  if (algorithm === "norm") return [shape("w_norm")[0]!, 1];
  return undefined;
}
