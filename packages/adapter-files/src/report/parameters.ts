import type { AdapterModule } from "../opened-adapter.js";

interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Which parameter each wrapper of a module is for. PEFT nests by the order in which the module registers its parameters, which a checkpoint
 * does not keep; so shapes decide. Two parameters of one shape stay undecided (undefined).
 *
 * @param wrappers of one module, in any order
 * @returns per wrapper the parameter's name
 */
export function assignParameters(wrappers: readonly AdapterModule[], parameters: readonly Parameter[]): (string | undefined)[] {
  if (wrappers.length === 1 && parameters.length === 1) return [parameters[0]!.name];
  const candidates = wrappers.map((wrapper) => parameters.filter((parameter) => fits(wrapper, parameter.shape)).map(({ name }) => name));
  return candidates.map((names) => {
    const [only, more] = names;
    const taken = candidates.filter((other) => other !== names && other.includes(only!)).length > 0;
    return more === undefined && !taken ? only : undefined;
  });
}

/** A [r·E, d2] and B [d1, r·E], or the two sides exchanged, for a parameter [E, d1, d2] or [d1, d2]. */
function fits({ tensors }: AdapterModule, shape: readonly number[]): boolean {
  const a = tensors.get("lora_A.weight")?.shape;
  const b = tensors.get("lora_B.weight")?.shape;
  const experts = shape.length === 3 ? shape[0]! : 1;
  const [d1, d2] = shape.slice(-2);
  if (!a || !b || a[0]! % experts !== 0) return false;
  return (a[1] === d2 && b[0] === d1) || (a[1] === d1 && b[0] === d2);
}
