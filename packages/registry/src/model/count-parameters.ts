import { sizeOf, type Tensor } from "@weft/tensor-core";
import { type AdapterState, parametersOf } from "./adapter-state.js";

export interface ParameterCount {
  readonly trainable: number;
  /** Those of the model and what the adapters train beside them. */
  readonly all: number;
  readonly percent: number;
}

/** Numbers of parameters: those that the adapters train, and all. As in PEFT, fixed bases and indices are no parameters, and a trained bias is the model's own. */
export function countTrainable(weights: Iterable<Tensor>, states: readonly AdapterState[]): ParameterCount {
  const count = (tensors: Iterable<Tensor>): number => [...tensors].reduce((sum, t) => sum + sizeOf(t.shape), 0);
  let [trainable, all] = [0, count(weights)];
  for (const state of states) {
    const { layers, replaced, shared, prompt } = parametersOf(state);
    const own = count([...Object.values(layers), shared, prompt].flatMap((params) => Object.values(params)));
    const saved = (state.config.values as { readonly modulesToSave?: readonly string[] | null }).modulesToSave ?? [];
    const copies = Object.entries(replaced).filter(([name]) => saved.some((entry) => name.slice(0, name.lastIndexOf(".")).endsWith(entry)));
    trainable += own + count(Object.values(replaced));
    all += own + frozen(state) + count(copies.map(([, t]) => t));
  }
  return { trainable, all, percent: all === 0 ? 0 : (100 * trainable) / all };
}

/** Elements of parameters that are frozen. */
function frozen({ layers }: AdapterState): number {
  const specs = [...layers.values()]
    .flat()
    .flatMap(({ method, context: { config, layer } }) => Object.values(method.parameters(config, layer)));
  return specs.reduce((sum, { counted, shape }) => sum + (counted ? sizeOf(shape) : 0), 0);
}

/** `trainable params: 921,600 || all params: 135,436,608 || trainable%: 0.6805`, as PEFT prints it. */
export function describeCount({ trainable, all, percent }: ParameterCount): string {
  const grouped = (n: number): string => n.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return `trainable params: ${grouped(trainable)} || all params: ${grouped(all)} || trainable%: ${percent.toFixed(4)}`;
}
