import type { AdapterModule, OpenedAdapter } from "@weft/adapter-files";
import { guessPath } from "@weft/adapter-files/dialects";
import { mergeBlocker } from "@weft/checkpoint";
import { ranges } from "./group-names.js";

/** What `inspect` says of an adapter besides its tensors. */
export interface AdapterSummary {
  readonly dialect: string;
  /** What the dialect was recognised by; null where a config says it. */
  readonly detected: string | null;
  readonly method: string;
  /** Methods of the modules, where they have several. */
  readonly methods: { readonly [name: string]: number };
  /** Parts of a pipeline → number of modules; empty for an adapter of one model. */
  readonly components: { readonly [name: string]: number };
  readonly base: string | null;
  readonly peftVersion: string | null;
  readonly rank: number | null;
  readonly alpha: number | null;
  /** Factor on B·A: alpha / r, or alpha / √r with rsLoRA; null where it is not known. */
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
  /** Names of the tensors that belong to no module. */
  readonly unmatched: readonly string[];
  /** Why merge refuses it whatever the base is; null where it does not. */
  readonly unmergeable: string | null;
}

type Values = { readonly [field: string]: unknown };

export function describeAdapter(adapter: OpenedAdapter): AdapterSummary {
  const values = { ...adapter.config.values, ...(adapter.alphaAssumed && { loraAlpha: null }) } as Values;
  const [rank, alpha] = [values.r, values.loraAlpha ?? values.alpha].map((v) => (typeof v === "number" ? v : null)) as [
    number | null,
    number | null,
  ];
  const ranked = ["LORA", "LOCON", "LOHA", "LOKR"].includes(adapter.method);
  const modules = [...adapter.modules.values()];
  const methods = counts(modules.map(({ method }) => method ?? adapter.method));
  return {
    dialect: adapter.dialect,
    detected: adapter.detection?.reason ?? null,
    method: adapter.method,
    methods: Object.keys(methods).length > 1 ? methods : {},
    components: counts(modules.flatMap(({ component }) => (component === undefined || component === "model" ? [] : [component]))),
    base: (values.baseModelNameOrPath as string | null | undefined) ?? null,
    peftVersion: (values.peftVersion as string | null | undefined) ?? null,
    rank,
    alpha,
    scale: ranked && rank && alpha !== null ? alpha / (values.useRslora ? Math.sqrt(rank) : rank) : null,
    options: [...optionsOf(values), ...optionsOfModules(modules)],
    modules: adapter.modules.size,
    targets: targetsOf(modules),
    modulesToSave: [...adapter.modulesToSave.keys()],
    trainableTokens: [...adapter.trainableTokens.keys()],
    biases: adapter.biases.size,
    unknown: adapter.unknown.length,
    unmatched: adapter.unknown.map(({ name }) => name),
    unmergeable: mergeBlocker(adapter)?.why ?? null,
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

/** What modules have for themselves, and not all of them alike. */
function optionsOfModules(modules: readonly AdapterModule[]): string[] {
  const of = (test: (module: AdapterModule) => boolean): number => modules.filter((module) => module.config && test(module)).length;
  const [dora, tucker] = [
    of(({ tensors, method }) => method !== "LORA" && tensors.has("dora_scale")),
    of(({ tensors }) => [...tensors.keys()].some((key) => TUCKER.test(key))),
  ];
  const numbers = (fields: readonly string[]): number =>
    new Set(modules.flatMap(({ config }) => fields.flatMap((field) => (typeof config?.[field] === "number" ? [config[field]] : [])))).size;
  const [ranks, alphas] = [numbers(["r"]), numbers(["alpha", "loraAlpha"])];
  return [
    ...(dora > 0 ? [`DoRA on ${dora} modules`] : []),
    ...(tucker > 0 ? [`Tucker cores in ${tucker} modules`] : []),
    ...(ranks > 1 ? [`${ranks} ranks`] : []),
    ...(alphas > 1 ? [`${alphas} alphas`] : []),
  ];
}

const TUCKER = /^(lora_mid\.weight|hada_t1|lokr_t2)$/;

function counts(names: readonly string[]): Record<string, number> {
  const found = new Map<string, number>();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return Object.fromEntries(found);
}

/** Names with underscores are shown with the dots that they probably stand for. */
function targetsOf(modules: readonly AdapterModule[]): { name: string; count: number; layers: string }[] {
  const found = new Map<string, { count: number; numbers: number[] }>();
  for (const module of modules) {
    const path = module.flat ? guessPath(module.path) : module.path;
    const name = /[^.]+(?:\.\d+)*$/.exec(path)![0];
    const entry = found.get(name) ?? { count: 0, numbers: [] };
    found.set(name, entry);
    entry.count++;
    const number = /\.(\d+)\./.exec(path)?.[1];
    if (number !== undefined) entry.numbers.push(Number(number));
  }
  return [...found].map(([name, { count, numbers }]) => ({ name, count, layers: ranges(numbers) }));
}
