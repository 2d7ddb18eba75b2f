import type { WeightSource } from "@weft/io-safetensors";
import type { OpenedAdapter } from "@weft/adapter-files";
import {
  type ConvertModule,
  convertModules,
  type ConvertModulesOptions,
  type Loss,
  guessNotes,
  TARGETS,
  type TargetName,
  withDots,
} from "@weft/convert";
import type { Context } from "../context.js";
import { UsageError } from "../failure.js";

/** An adapter's modules in one form, and what of it has no such form. */
export interface AdapterModules {
  readonly modules: readonly ConvertModule[];
  readonly losses: readonly Loss[];
}

/** Dialects whose names have underscores, so that it does not matter where the dots were. */
const FLAT: ReadonlySet<TargetName> = new Set(["kohya", "lycoris"]);

/** Takes an adapter of any dialect apart, and says what a user should know of it. */
export function modulesOfAdapter(
  adapter: OpenedAdapter,
  to: TargetName,
  base: WeightSource | undefined,
  { out }: Pick<Context, "out">,
  options?: ConvertModulesOptions,
): AdapterModules {
  const { modules, losses } = convertModules(adapter, options);
  const dotted = withDots(modules, adapter, base);
  for (const warning of adapter.warnings) out.warn(warning);
  if (!FLAT.has(to)) for (const note of guessNotes(dotted)) out.warn(note);
  return { modules: dotted, losses };
}

/** The dialect to write: the one that is named, else that of the input. @throws UsageError for dialects that are only read */
export function targetOf({ dialect }: OpenedAdapter, named: TargetName | undefined): TargetName {
  if (named !== undefined) return named;
  const own = dialect.replace(/^diffusers-.*/, "diffusers") as TargetName;
  if (TARGETS.has(own)) return own;
  throw new UsageError(`${dialect} adapters are read, but not written`, "choose a dialect with --to");
}
