import type { AdaptedModule, MethodEntry, ParameterSpec } from "@weft/tensor-core";
import { sharedKeys } from "../keys/shared-keys.js";
import type { AdapterTensor, OpenedAdapter } from "../opened-adapter.js";
import type { MatchedModule, MatchReport, Mismatch, SharedParameter } from "./match-report.js";

/** The parameters that all layers of an adapter have in common: out of the file, or rebuilt from the config's seed. */
export function matchShared(
  adapter: OpenedAdapter,
  method: MethodEntry["method"],
  matched: readonly MatchedModule[],
  otherLayers: readonly AdaptedModule[] = [],
): Pick<MatchReport, "shared" | "mismatched" | "unused"> {
  const shared = new Map<string, SharedParameter>();
  const mismatched: Mismatch[] = [];
  const unused = (used: ReadonlySet<string>): AdapterTensor[] =>
    [...adapter.shared].flatMap(([key, tensor]) => (used.has(key) ? [] : [tensor]));
  const own = matched.flatMap(({ path, layer }) => (layer ? [{ path, layer }] : []));
  const modules = [...own, ...otherLayers];
  if (!method?.shared || own.length < matched.length || modules.length === 0)
    return { shared, mismatched, unused: method ? unused(new Set()) : [] };
  const { parameters, rebuild } = method.shared;
  const keysOf = (name: string): readonly string[] => sharedKeys(method.shared!, name);
  const config = adapter.config.values as never;
  const specs: { readonly [name: string]: ParameterSpec } = parameters(config, modules);
  const used = new Set<string>();
  for (const [name, { shape }] of Object.entries(specs)) {
    const key = keysOf(name).find((candidate) => adapter.shared.has(candidate));
    if (key === undefined) continue;
    used.add(key);
    const tensor = adapter.shared.get(key)!;
    if (tensor.shape.join() === shape.join()) shared.set(name, { tensor });
    else
      mismatched.push({
        path: tensor.name,
        message: `${tensor.name} is [${tensor.shape.join(",")}], expected [${shape.join(",")}]`,
      });
  }
  const absent = Object.keys(specs).filter((name) => !shared.has(name));
  if (absent.length > 0 && used.size === 0 && rebuild) {
    for (const [name, values] of Object.entries(rebuild(config, specs))) shared.set(name, { values, shape: specs[name]!.shape });
  } else for (const name of absent) if (!used.has(name)) mismatched.push({ path: name, message: `${keysOf(name)[0]} is missing` });
  return { shared, mismatched, unused: unused(used) };
}
