type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/**
 * Output features, and elements per output, of the weight that a module's parameters are for: what tells candidates of one name apart.
 * @param parameters by LyCORIS's names
 * @returns undefined where the shapes do not tell
 */
export function weightMatrix(parameters: Shapes): readonly [out: number, inputs: number] | undefined {
  const shape = (...names: string[]): readonly number[] => names.map((name) => parameters.get(name)?.shape).find((found) => found) ?? [];
  const kernel = (core: string): number => product(shape(core).slice(2));
  const has = (name: string): boolean => parameters.has(name);
  if (has("lora_down.weight")) {
    const down = shape("lora_down.weight");
    return [shape("lora_up.weight")[0]!, has("lora_mid.weight") ? down[1]! * kernel("lora_mid.weight") : product(down.slice(1))];
  }
  if (has("hada_w1_a")) {
    const [a, b] = [shape("hada_w1_a"), shape("hada_w1_b")];
    return has("hada_t1") ? [a[1]!, b[1]! * kernel("hada_t1")] : [a[0]!, b[1]!];
  }
  if (has("lokr_w1") || has("lokr_w1_a")) {
    const [out1, in1] = [shape("lokr_w1", "lokr_w1_a")[0]!, shape("lokr_w1", "lokr_w1_b")[1]!];
    if (has("lokr_w2")) return [out1 * shape("lokr_w2")[0]!, in1 * product(shape("lokr_w2").slice(1))];
    const [a, b] = [shape("lokr_w2_a"), shape("lokr_w2_b")];
    return has("lokr_t2") ? [out1 * a[1]!, in1 * b[1]! * kernel("lokr_t2")] : [out1 * a[0]!, in1 * b[1]!];
  }
  if (has("diff")) return [shape("diff")[0]!, product(shape("diff").slice(1))];
  return has("w_norm") ? [shape("w_norm")[0]!, 1] : undefined;
}
