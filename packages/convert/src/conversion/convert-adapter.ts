import { CapabilityError, MatchError } from "@weft/tensor-core";
import type { BaseTensors, OpenedAdapter } from "@weft/adapter-files";
import type { ConvertedFile, TargetName, WriteContext } from "../targets/target.js";
import { TARGETS } from "../targets/targets.js";
import { convertModules } from "./convert-modules.js";
import type { ConvertModule, Loss } from "./convert-module.js";
import { withDots } from "./dotted-paths.js";
import { withFoldedScale } from "./fold-scale.js";
import { withWholeTensors } from "./whole-tensors.js";
import { renameModules } from "./rename.js";

/** The dialect to write, and what may be left out of it. */
export interface ConvertOptions {
  readonly to: TargetName;
  /** Names and shapes of the base: they tell what names with underscores mean. */
  readonly base?: BaseTensors;
  /** diffusers' class of the base: `_class_name` of its config.json. */
  readonly className?: string | undefined;
  /** Leave out or round what the target cannot hold, instead of refusing. */
  readonly allowLoss?: boolean;
  /** Work alpha into the factors. */
  readonly foldAlpha?: boolean;
}

/** An adapter in another dialect, before it is written. */
export interface Conversion {
  readonly files: readonly ConvertedFile[];
  /** What the target cannot hold. */
  readonly losses: readonly Loss[];
  /** What a user should know: names that were guessed, the model that the names are of. */
  readonly notes: readonly string[];
}

/** Losses that a message lists. */
const SHOWN = 5;

/**
 * Converts an adapter to another dialect. Tensors that only change their name are copied as they are; alpha stays alpha. Nothing is read but scalars
 * and what cuts of fused weights depend on; the data follows when the files are written.
 * @throws CapabilityError kind `lossy-conversion` with every loss and its reason, unless `allowLoss`; kinds `not-convertible`, `nothing-left`;
 *   MatchError kinds `ambiguous-name`, `unknown-model`
 */
export async function convertAdapter(adapter: OpenedAdapter, options: ConvertOptions): Promise<Conversion> {
  const { to, base, className, allowLoss = false, foldAlpha = false } = options;
  const { modules, losses } = convertModules(adapter);
  const dotted = withDots(modules, adapter, base);
  const baseModel = (adapter.config.values as { baseModelNameOrPath?: string | null }).baseModelNameOrPath ?? null;
  const folded = foldAlpha ? dotted.map(withFoldedScale) : dotted;
  const written = await writeModules(folded, {
    to,
    base,
    className,
    allowLoss,
    source: adapter.weights,
    methods: adapter.methods,
    baseModel,
    losses,
  });
  return { ...written, notes: guessNotes(dotted) };
}

/** The dialect to write modules in, and whose metadata goes with them. */
export interface WriteModulesOptions extends Omit<WriteContext, "naming"> {
  readonly to: TargetName;
  readonly base: BaseTensors | undefined;
  /** diffusers' class of the base. */
  readonly className?: string | undefined;
  readonly allowLoss: boolean;
  /** What was lost before. */
  readonly losses?: readonly Loss[];
}

/**
 * The files of a dialect that hold these modules, wherever they come from.
 * @throws CapabilityError kind `lossy-conversion` with every loss and its reason, unless `allowLoss`; kind `nothing-left`; MatchError kind `unknown-model`
 */
export async function writeModules(
  modules: readonly ConvertModule[],
  { to, base, className, allowLoss, losses: before = [], source, baseModel, methods }: WriteModulesOptions,
): Promise<Omit<Conversion, "notes">> {
  const target = TARGETS.get(to)!;
  // Tensors beside the modules are lost where the target is not PEFT's, or the user gives them up.
  const kept = to === "peft" && !allowLoss ? before.flatMap(({ whole }) => whole ?? []) : [];
  const losses = before.filter(({ whole }) => !whole || !kept.includes(whole));
  const fit = (module: ConvertModule): ConvertModule | string =>
    module.embedding && to !== "peft" ? `LoRA on an embedding has no form in ${to}` : target.fit(module);
  const fitted = fitModules(modules, fit, losses);
  const renamed = await renameModules(fitted, target, base, className);
  losses.push(...renamed.losses, ...roundings(renamed.modules));
  if (renamed.modules.length === 0) throw nothingLeft(losses, to);
  const written = target.write(renamed.modules, { source, naming: renamed.naming, baseModel, methods });
  losses.push(...written.losses);
  if (written.files.every((file) => file.modules.size === 0)) throw nothingLeft(losses, to);
  if (losses.length > 0 && !allowLoss) throw lossy(losses, to);
  const [first, ...rest] = written.files;
  return { files: [await withWholeTensors(first!, kept, methods), ...rest], losses };
}

function fitModules(
  modules: readonly ConvertModule[],
  fit: (module: ConvertModule) => ConvertModule | string,
  losses: Loss[],
): ConvertModule[] {
  return modules.flatMap((module) => {
    const fitted = fit(module);
    if (typeof fitted === "string") {
      losses.push({ module: module.label, message: `${module.label}: ${fitted}` });
      return [];
    }
    return [fitted];
  });
}

/** One per module of the source, however many it became. */
function roundings(modules: readonly ConvertModule[]): Loss[] {
  const rounded = new Map(modules.flatMap(({ label, rounded: why }) => (why === undefined ? [] : [[label, why] as const])));
  return [...rounded].map(([label, why]) => ({ module: label, message: `${label}: ${why}`, keeps: true }));
}

/** A note for the user if names were guessed, else none. */
export function guessNotes(modules: readonly ConvertModule[]): string[] {
  const guessed = modules.filter((module) => module.guessed);
  if (guessed.length === 0) return [];
  const [first] = guessed as [ConvertModule];
  return [`${guessed.length} names have underscores for dots and were guessed (${first.label} as ${first.path}); --base makes sure`];
}

const listed = (losses: readonly Loss[]): string =>
  [...losses.slice(0, SHOWN).map(({ message }) => message), ...(losses.length > SHOWN ? [`… and ${losses.length - SHOWN} more`] : [])].join(
    "; ",
  );

const lossy = (losses: readonly Loss[], to: TargetName): CapabilityError =>
  new CapabilityError(`${to} cannot hold all of this adapter: ${listed(losses)}`, {
    kind: "lossy-conversion",
    tensor: losses[0]!.module,
    hint: losses.every(({ keeps }) => keeps) ? "--allow-loss writes it rounded" : "--allow-loss writes the rest without it",
  });

/** The error for an adapter of which nothing would be written. @param to what should have held it */
export const nothingLeft = (losses: readonly Loss[], to: string): CapabilityError | MatchError =>
  losses.length === 0
    ? new MatchError("the adapter has no modules", { kind: "nothing-left" })
    : new CapabilityError(`${to} can hold nothing of this adapter: ${listed(losses)}`, {
        kind: "nothing-left",
        tensor: losses[0]!.module,
      });
