import type { Plan } from "@weft/tensor-core";
import { addKernels } from "../kernel-args.js";
import { COMPOSITES } from "./composites.js";
import type { GroupName, KernelGroup } from "./kernel-group.js";
import { OPS } from "./ops.js";
import { isPackedValues } from "./packed-values.js";

const GROUPS: { readonly [name in GroupName]: () => Promise<{ readonly group: KernelGroup }> } = {
  further: () => import("../groups/further.js"),
  merge: () => import("../groups/merge.js"),
  model: () => import("../groups/model.js"),
  packed: () => import("../groups/packed.js"),
  recurrent: () => import("../groups/recurrent.js"),
  training: () => import("../groups/training.js"),
};

const loaded = new Map<GroupName, KernelGroup>();

/** A group that was loaded. */
export const groupOf = (name: GroupName): KernelGroup => loaded.get(name)!;

/** Loads a group; undefined if it is there. */
export function loadGroup(name: GroupName): Promise<void> | undefined {
  if (loaded.has(name)) return undefined;
  return GROUPS[name]().then(({ group }) => {
    if (group.module) addKernels(group.module);
    loaded.set(name, group);
  });
}

/** Loads the groups that a plan needs; undefined if they are there. */
export function loadGroups({ steps }: Plan): Promise<unknown> | undefined {
  const names = new Set<GroupName>();
  for (const step of steps) {
    if (isPackedValues(step)) names.add("packed");
    if (step.kind === "fused") continue;
    const found = step.kind === "composite" ? COMPOSITES.get(step.op)!.group : OPS[step.op];
    if (typeof found === "string") names.add(found);
  }
  const loading = [...names].flatMap((name) => loadGroup(name) ?? []);
  return loading.length > 0 ? Promise.all(loading) : undefined;
}
