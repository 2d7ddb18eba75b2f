/**
 * The parameters that `target_parameters` names: full parameter name, or a dotted suffix of it (`experts.gate_up_proj`).
 * Order is that of `names`, which decides how PEFT nests several parameters of one module: the first is innermost.
 *
 * @param names full parameter names of the base, in the order in which their modules register them
 */
export function selectParameters(targets: readonly string[], names: Iterable<string>): string[] {
  const wanted = [...new Set(targets)];
  return [...names].filter((name) => wanted.some((target) => name === target || name.endsWith(`.${target}`)));
}
