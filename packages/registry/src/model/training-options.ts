import { camel, ConfigError, type FieldTable, inputDropout } from "@weft/tensor-core";
import type { AdapterState } from "./adapter-state.js";

/** The field by which an adapter's training passes draw at random, in PEFT's spelling. */
function drawingField({ layers, config, prompt }: AdapterState): string | undefined {
  const fields: FieldTable = prompt?.method.fields ?? [...layers.values()][0]?.[0]?.method.fields ?? {};
  const values = { ...config.values, ...prompt?.config } as { readonly [field: string]: unknown };
  return Object.keys(fields).find((name) => fields[name]!.draws && Boolean(values[camel(name)]));
}

/**
 * Checks that a training step says whether it drops, where a config asks for it, and that nothing is asked for that cannot be.
 * @param training the pass runs with parameters of a step; `drawn`: it was given a key
 * @throws ConfigError kind `dropout-undecided`, naming the field; kind `config-mismatch` for dropout on raw parameters, which PEFT refuses, too, and on weights that the model holds otherwise
 */
export function assertDecided(
  states: readonly AdapterState[],
  { training, drawn }: { readonly training: boolean; readonly drawn: boolean },
): void {
  if (!training && !drawn) return;
  for (const state of states) {
    const field = drawingField(state);
    if (field === undefined) continue;
    const raw = [...state.layers].find(([, [first]]) => {
      const { method, context } = first!;
      return context.layer.kind === "parameter" && inputDropout(method, context.config);
    });
    if (raw)
      throw new ConfigError(`${raw[0]}: ${field} does not go with a raw parameter, whose change has no input to drop from`, {
        kind: "config-mismatch",
        hint: `set ${field} to 0`,
      });
    const [placed] = state.placed?.keys() ?? [];
    if (placed !== undefined)
      throw new ConfigError(`${placed}: ${field} does not go with a weight that the model keeps as a part of another, or in parts`, {
        kind: "config-mismatch",
        hint: `set ${field} to 0`,
      });
    if (!drawn)
      throw new ConfigError(`${state.config.peftType}: ${field} acts in training, but this pass was not told whether it trains`, {
        kind: "dropout-undecided",
        hint: "forward(inputs, { dropoutKey: randomKey(step) }) trains, { dropoutKey: null } evaluates",
      });
  }
}
