import { type ConvertModule, readFactors, type FactorDType, withFactors } from "@weft/convert";

/**
 * Servers read one rank and one alpha from the config and leave patterns out: every module with the same rank, filled up with zeros, and the same
 * scale, the others worked into the up factor. What is even already is left as it is.
 */
export async function evenOut(modules: readonly ConvertModule[]): Promise<{ readonly modules: ConvertModule[]; readonly changed: number }> {
  const rank = Math.max(...modules.map((module) => module.rank!));
  const scale = modules.find((module) => module.scale !== 0)?.scale ?? 1;
  let changed = 0;
  const even: ConvertModule[] = [];
  for (const module of modules) {
    if (module.rank === rank && module.scale === scale) {
      even.push(module);
      continue;
    }
    changed++;
    const { out, rank: own, inputs, up, down } = await readFactors(module);
    const wideUp = new Float32Array(out * rank);
    for (let i = 0; i < out; i++) for (let k = 0; k < own; k++) wideUp[i * rank + k] = (up[i * own + k]! * module.scale) / scale;
    const wideDown = new Float32Array(rank * inputs);
    wideDown.set(down);
    const { dtype } = module.parameters.get("lora_up.weight")!;
    const factors = { out, rank, inputs, up: wideUp, down: wideDown };
    even.push({ ...withFactors(module, factors, (dtype === "F16" || dtype === "BF16" ? dtype : "F32") as FactorDType), scale });
  }
  return { modules: even, changed };
}
