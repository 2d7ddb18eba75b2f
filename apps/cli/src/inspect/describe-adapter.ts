import type { OpenedAdapter } from "@weft/registry";
import { ranges } from "./group-names.js";

/** What `inspect` says of an adapter besides its tensors. */
export interface AdapterSummary {
  readonly dialect: string;
  readonly method: string;
  readonly base: string | null;
  readonly peftVersion: string | null;
  readonly rank: number | null;
  readonly alpha: number | null;
  /** Factor on B·A: alpha / r, or alpha / √r with rsLoRA. */
  readonly scale: number | null;
  /** Options that change what the adapter does. */
  readonly options: readonly string[];
  readonly modules: number;
  /** Last part of the module paths → how many, in which layers. */
  readonly targets: readonly { readonly name: string; readonly count: number; readonly layers: string }[];
  readonly modulesToSave: readonly string[];
  readonly trainableTokens: readonly string[];
  readonly biases: number;
  readonly unknown: number;
}

type Values = { readonly [field: string]: unknown };

export function describeAdapter(adapter: OpenedAdapter): AdapterSummary {
  const values = adapter.config.values as Values;
  const [rank, alpha] = [values.r, values.loraAlpha ?? values.alpha].map((v) => (typeof v === "number" ? v : null)) as [
    number | null,
    number | null,
  ];
  const lora = adapter.method === "LORA";
  return {
    dialect: adapter.dialect,
    method: adapter.method,
    base: (values.baseModelNameOrPath as string | null | undefined) ?? null,
    peftVersion: (values.peftVersion as string | null | undefined) ?? null,
    rank,
    alpha,
    scale: lora && rank && alpha !== null ? alpha / (values.useRslora ? Math.sqrt(rank) : rank) : null,
    options: optionsOf(values),
    modules: adapter.modules.size,
    targets: targetsOf([...adapter.modules.values()].map(({ path }) => path)),
    modulesToSave: [...adapter.modulesToSave.keys()],
    trainableTokens: [...adapter.trainableTokens.keys()],
    biases: adapter.biases.size,
    unknown: adapter.unknown.length,
  };
}

const FLAGS: readonly (readonly [string, string])[] = [
  ["useDora", "DoRA"],
  ["useRslora", "rsLoRA"],
  ["loraBias", "bias on B"],
  ["fanInFanOut", "weights stored [in, out]"],
];

function optionsOf(values: Values): string[] {
  const size = (field: string): number => Object.keys((values[field] ?? {}) as object).length;
  return [
    ...FLAGS.flatMap(([field, label]) => (values[field] === true ? [label] : [])),
    ...(typeof values.initLoraWeights === "string" ? [`init ${values.initLoraWeights}`] : []),
    ...(size("rankPattern") > 0 ? [`${size("rankPattern")} rank patterns`] : []),
    ...(size("alphaPattern") > 0 ? [`${size("alphaPattern")} alpha patterns`] : []),
    ...(typeof values.bias === "string" && values.bias !== "none" ? [`bias ${values.bias}`] : []),
  ];
}

function targetsOf(paths: readonly string[]): { name: string; count: number; layers: string }[] {
  const found = new Map<string, { count: number; numbers: number[] }>();
  for (const path of paths) {
    const name = path.slice(path.lastIndexOf(".") + 1);
    const entry = found.get(name) ?? { count: 0, numbers: [] };
    found.set(name, entry);
    entry.count++;
    const number = /\.(\d+)\./.exec(path)?.[1];
    if (number !== undefined) entry.numbers.push(Number(number));
  }
  return [...found].map(([name, { count, numbers }]) => ({ name, count, layers: ranges(numbers) }));
}
