import { CapabilityError } from "@weft/tensor-core";
import {
  type AdapterModule,
  type AdapterTensor,
  createModuleConfig,
  type OpenedAdapter,
  type PatternedConfig,
  specialForm,
} from "@weft/adapter-files";
import { parametersOf, rankOf } from "@weft/adapter-files/dialects";
import { withComponents } from "./components.js";
import { type ConvertModule, isWholeLokr, type Loss } from "./convert-module.js";
import { wholeTensors } from "./whole-tensors.js";
import { integerTensor, type LazyTensor, lazyTensor, reshaped, scalarTensor } from "./lazy-tensor.js";

/** Low-rank methods: their parameters are scaled by alpha / r. */
const RANKED: ReadonlySet<string> = new Set(["LORA", "LOCON", "LOHA", "LOKR", "LYCORIS_GLORA", "TLORA"]);

interface Values {
  readonly r?: number;
  readonly loraAlpha?: number;
  readonly alpha?: number | null;
  readonly useRslora?: boolean;
  readonly onInput?: number;
  readonly fanInFanOut?: boolean;
}

/** What the modules are for. */
export interface ConvertModulesOptions {
  /** Weights that transformers stores [in, out] (`fan_in_fan_out`) lie [out, in] there, as in GGUF files: their factors are as of any other. */
  readonly turned?: boolean;
}

/**
 * The modules of an adapter in one form, and what of it no other dialect can hold.
 * @throws CapabilityError kind `not-convertible` for methods that only PEFT has, and for LoRA that is more than its factors
 */
export function convertModules(
  adapter: OpenedAdapter,
  { turned = false }: ConvertModulesOptions = {},
): { readonly modules: ConvertModule[]; readonly losses: Loss[] } {
  const special = specialForm(adapter);
  if (special)
    throw new CapabilityError(`this adapter is more than its factors: ${special.why}`, {
      kind: "not-convertible",
      hint: special.remedy,
    });
  const configOf = createModuleConfig(adapter.config as PatternedConfig<Values>);
  const losses: Loss[] = [];
  const modules: ConvertModule[] = [];
  for (const [id, module] of adapter.modules) {
    const method = module.method ?? adapter.method;
    const values: Values = module.config ?? configOf(module.path);
    if (adapter.dialect === "peft" && !["LORA", "LOHA", "LOKR"].includes(method))
      throw new CapabilityError(`${method} adapters of PEFT have no form in other dialects`, {
        kind: "not-convertible",
        hint: "only LoRA, LoHa and LoKr have one",
      });
    const refused = refusal(module, turned ? {} : values) ?? (adapter.dialect === "peft" ? scrambled(module) : undefined);
    if (refused === undefined) modules.push(convertModule(adapter, id, module, method, values));
    else losses.push({ module: module.name ?? module.path, message: refused });
  }
  const whole = wholeTensors(adapter);
  for (const [what, tensors] of otherTensors(adapter))
    for (const name of tensors) {
      const kept = whole.get(name);
      losses.push({ module: name, message: `${name}: ${what} have no form in other dialects`, ...(kept && { whole: kept }) });
    }
  for (const { name } of adapter.unknown) losses.push({ module: name, message: `${name}: belongs to no module` });
  return { modules: withComponents(modules, adapter.weights.location), losses };
}

/** What no dialect but PEFT's can say of a module. */
function refusal({ path, depth }: AdapterModule, { fanInFanOut }: Values): string | undefined {
  if (depth > 0) return `${path}: target_parameters have no form in other dialects`;
  return fanInFanOut ? `${path}: weights stored [in, out] (fan_in_fan_out) have no form in other dialects` : undefined;
}

/** PEFT lines a Conv1d's whole half up with the wrong axes (`torch.kron` of two and three axes); no other program reads it so. */
function scrambled({ tensors, path }: AdapterModule): string | undefined {
  return tensors.get("lokr_w2")?.shape.length === 3 ? `${path}: PEFT has the axes of a Conv1d's LoKr in an order of its own` : undefined;
}

const names = (map: ReadonlyMap<string, AdapterTensor>): string[] => [...map.values()].map(({ name }) => name);

function* otherTensors({ modulesToSave, biases, embeddings, trainableTokens, shared }: OpenedAdapter): Iterable<[string, string[]]> {
  yield ["whole tensors of the base", [...names(modulesToSave), ...names(embeddings)]];
  yield ["trained biases", names(biases)];
  yield ["trained tokens", names(trainableTokens)];
  yield ["parameters of all modules", names(shared)];
}

function convertModule(adapter: OpenedAdapter, id: string, module: AdapterModule, method: string, values: Values): ConvertModule {
  const parameters = new Map([...parametersOf(module)].map(([name, tensor]) => [name, lazyTensor(adapter.weights, tensor)] as const));
  const magnitude = parameters.get("dora_scale");
  if (magnitude && isOutputMagnitude(method, parameters)) parameters.set("dora_scale", reshaped(magnitude, rowShape(parameters)));
  const lycoris = method === "LORA" ? "LOCON" : method;
  const rank = RANKED.has(method) ? (rankOf(parameters) ?? values.r) : undefined;
  const alpha = values.loraAlpha ?? values.alpha ?? undefined;
  const scalars = new Map<string, LazyTensor>();
  if (rank === undefined && alpha !== undefined) scalars.set("alpha", scalarTensor(alpha));
  if (values.onInput !== undefined) scalars.set("on_input", integerTensor(values.onInput));
  return {
    label: module.name ?? module.path,
    component: module.component ?? "model",
    path: module.path,
    guessed: false,
    method: lycoris,
    parameters,
    rank,
    scale: scaleOf(adapter, parameters, rank, alpha, values),
    scalars,
    pieces: [{ source: id }],
    ...(isEmbedding(module) && { embedding: true }),
    dialect: adapter.dialect,
  };
}

/** True for a LoRA on an embedding. */
export const isEmbedding = ({ tensors }: Pick<AdapterModule, "tensors">): boolean => tensors.has("lora_embedding_A");

/** PEFT's [1, out, 1, 1] is one of rows; LyCORIS's [1, in, 1, 1] is not. */
function isOutputMagnitude(method: string, parameters: ReadonlyMap<string, LazyTensor>): boolean {
  const [out, { shape }] = [parameters.get("lora_up.weight")?.shape[0], parameters.get("dora_scale")!];
  return method === "LORA" || (method === "LOCON" && shape[0] === out && shape.reduce((a, b) => a * b, 1) === out);
}

/** LyCORIS's shape of magnitudes of output rows: [out, 1] with more ones for a convolution. */
function rowShape(parameters: ReadonlyMap<string, LazyTensor>): number[] {
  return [
    parameters.get("lora_up.weight")!.shape[0]!,
    ...parameters
      .get("lora_down.weight")!
      .shape.slice(1)
      .map(() => 1),
  ];
}

function scaleOf(
  { dialect }: OpenedAdapter,
  parameters: ReadonlyMap<string, LazyTensor>,
  rank: number | undefined,
  alpha: number | undefined,
  { useRslora }: Values,
): number {
  if (rank === undefined || (alpha === undefined && rank > 0)) return 1;
  if (rank === 0) return 0;
  if (dialect !== "peft" && isWholeLokr(parameters)) return 1;
  return alpha! / (useRslora ? Math.sqrt(rank) : rank);
}
