import { type BareTensors, ConfigError, type DetectedMethod, sizeOf } from "@weft/tensor-core";
import { checkFactors } from "../keys/check-factors.js";
import type { AdapterModule, AdapterTensor } from "../opened-adapter.js";
import type { DialectKey, DialectName } from "./dialect.js";

/** What a file holds for one module, before it is known what that means. */
export interface RawModule {
  readonly key: Omit<DialectKey, "parameter">;
  /** By LyCORIS's names. */
  readonly parameters: ReadonlyMap<string, AdapterTensor>;
}

/** PEFT's names of a plain LoRA's parameters. */
const LORA_KEYS: ReadonlyMap<string, string> = new Map([
  ["lora_down.weight", "lora_A.weight"],
  ["lora_up.weight", "lora_B.weight"],
  ["lora_up.bias", "lora_B.bias"],
  ["dora_scale", "lora_magnitude_vector"],
]);

/** PEFT's names of a LoRA's factors on an embedding, whose ΔW is turned: (s·B·A)ᵀ. Only PEFT has such. */
export const EMBEDDING_KEYS: ReadonlyMap<string, string> = new Map([
  ["lora_down.weight", "lora_embedding_A"],
  ["lora_up.weight", "lora_embedding_B"],
]);

/** Names of the one-element tensors that belong to a module's config. */
export const SCALARS: ReadonlySet<string> = new Set(["alpha", "on_input"]);

/** Tells the method of a module by its tensors. */
export type MethodDetector = (tensors: BareTensors) => DetectedMethod | undefined;

/** What a file holds for one module: as many modules as it has methods, and the tensors that none of them has a use for. */
export interface BuiltModules {
  readonly modules: readonly AdapterModule[];
  readonly unused: readonly AdapterTensor[];
}

/** Dialects whose files PEFT runs: ΔW is rounded to the adapter's dtype, magnitudes are PEFT's. Elsewhere LyCORIS's rules hold, in f32. */
const RUN_BY_PEFT: ReadonlySet<DialectName> = new Set(["diffusers", "diffusers-middle", "diffusers-old", "ai-toolkit", "mlx"]);

/**
 * The modules that a name of a file stands for, each with the method that its parameters are for and the numbers that hold for it alone. Beside a
 * method there may be others for the same layer: a LoRA with a change of the bias (`diff_b`). Where PEFT runs a dialect's files, LoRA is PEFT's, with
 * its names and shapes; so it is where B has a bias, which only PEFT's has.
 * @param detect what tells the methods that are known
 * @param scalars the values of `alpha` and `on_input`, where the file has them; without alpha the scale is 1
 * @throws ConfigError kinds `config-schema` for a scalar out of range, `missing-tensor` if a method's parameters are not all there
 */
export function modulesOf(
  detect: MethodDetector,
  dialect: DialectName,
  { key, parameters }: RawModule,
  scalars: { readonly [name: string]: number },
): BuiltModules {
  for (const [name, value] of Object.entries(scalars))
    if (!Number.isFinite(value))
      throw new ConfigError(`${key.module}: ${name} is ${value}, expected a finite number`, {
        kind: "config-schema",
        tensor: `${key.module}.${name}`,
      });
  const modules: AdapterModule[] = [];
  const place = { path: key.path, depth: 0, component: key.component, flat: key.flat, name: key.module };
  let left = parameters;
  for (let built = firstOf(detect, key.module, dialect, left, scalars); built; built = firstOf(detect, key.module, dialect, left, {})) {
    if (modules.length > 0 && !COMPANIONS.has(built.method)) break;
    modules.push({ ...place, ...built });
    const used = new Set([...built.tensors.values()].map(({ name }) => name));
    left = new Map([...left].filter(([name, tensor]) => !used.has(tensor.name) && !(name in scalars && built.scalars.has(name))));
  }
  return { modules, unused: [...left.values()] };
}

/** The key of one of the modules that a name stands for. @param at its place among them */
export const moduleId = (name: string, { method }: Pick<AdapterModule, "method">, at: number): string =>
  at === 0 ? name : `${name} (${method})`;

/** Methods that may stand beside another one: changes of the weight or bias as a whole. */
const COMPANIONS: ReadonlySet<string> = new Set(["FULL", "NORM"]);

interface Built extends Pick<AdapterModule, "method" | "config" | "tensors"> {
  readonly method: string;
  /** Names of the scalars that its config holds. */
  readonly scalars: ReadonlySet<string>;
}

/** What the parameters are of, first of all; undefined if they are of no method. @throws ConfigError kind `missing-tensor` if they are not all there */
function firstOf(
  detect: MethodDetector,
  path: string,
  dialect: DialectName,
  parameters: ReadonlyMap<string, AdapterTensor>,
  scalars: { readonly [name: string]: number },
): Built | undefined {
  const detected = detect(parameters);
  const down = parameters.get("lora_down.weight");
  if (!detected) return undefined;
  if (detected.method.name === "LOCON" && (RUN_BY_PEFT.has(dialect) || parameters.has("lora_up.bias")) && down && isPlainLora(parameters)) {
    const r = down.shape[0]!;
    const loraBias = parameters.has("lora_up.bias");
    const config = { r, loraAlpha: r === 0 ? 0 : (scalars.alpha ?? r), useDora: parameters.has("dora_scale"), loraBias };
    return { method: "LORA", config, tensors: loraTensors(parameters), scalars: new Set(["alpha"]) };
  }
  const tensors = new Map([...parameters].filter(([name]) => Object.values(detected.params).includes(name)));
  const rank = rankOf(tensors);
  const used = new Map(Object.entries(scalars).filter(([name]) => detected.method.bare!.scalars.includes(name)));
  const config = { ...(detected.config(Object.fromEntries(used)) as object), ...(rank !== undefined && { r: rank }) };
  checkFactors(detected.method, config, { path, tensors });
  return { method: detected.method.name, config, tensors, scalars: new Set(used.keys()) };
}

/** LoCon without a Tucker core, and magnitudes, if any, of output rows. */
function isPlainLora(parameters: ReadonlyMap<string, AdapterTensor>): boolean {
  const [up, magnitude] = [parameters.get("lora_up.weight"), parameters.get("dora_scale")];
  if (!up || parameters.has("lora_mid.weight")) return false;
  return !magnitude || (magnitude.shape[0] === up.shape[0] && sizeOf(magnitude.shape) === up.shape[0]);
}

/** PEFT's names and shapes over the same elements: an up factor [out, r] of a convolution is [out, r, 1, 1], a magnitude [out, 1] is [out]. */
function loraTensors(parameters: ReadonlyMap<string, AdapterTensor>): Map<string, AdapterTensor> {
  const ones = parameters
    .get("lora_down.weight")!
    .shape.slice(2)
    .map(() => 1);
  const shaped = (name: string, tensor: AdapterTensor): AdapterTensor => {
    if (name === "lora_up.weight") return { ...tensor, shape: [...tensor.shape.slice(0, 2), ...ones] };
    if (name !== "dora_scale") return tensor;
    return { ...tensor, shape: ones.length > 0 ? [1, sizeOf(tensor.shape), ...ones] : [sizeOf(tensor.shape)] };
  };
  return new Map([...parameters].flatMap(([name, tensor]) => (LORA_KEYS.has(name) ? [[LORA_KEYS.get(name)!, shaped(name, tensor)]] : [])));
}

/** Whose first axis is the rank that alpha is divided by. LoKr: the second half's, else the first's. */
const RANKS = ["lora_down.weight", "hada_w1_b", "lokr_w2_b", "lokr_w1_b", "a2.weight", "q_layer.weight"];

/** The rank of a module's parameters; undefined where none of them has one. */
export function rankOf(parameters: ReadonlyMap<string, { readonly shape: readonly number[] }>): number | undefined {
  return RANKS.map((name) => parameters.get(name)?.shape[0]).find((rank) => rank !== undefined);
}

/** A module's tensors under LyCORIS's names, whatever its method calls them. */
export function parametersOf({ tensors }: Pick<AdapterModule, "tensors">): Map<string, AdapterTensor> {
  const names = new Map([...LORA_KEYS].map(([lycoris, peft]) => [peft, lycoris]));
  names.set("lora_magnitude_vector.weight", "dora_scale");
  for (const [lycoris, peft] of EMBEDDING_KEYS) names.set(peft, lycoris);
  return new Map([...tensors].map(([key, tensor]) => [names.get(key) ?? key, tensor]));
}
