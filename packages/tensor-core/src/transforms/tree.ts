import { ConfigError } from "../errors.js";
import { refuseForeign, Tensor } from "../graph.js";

/** Tensors in nested arrays and records; other values (numbers, strings, null) are carried along unchanged. */
export type Tree = Tensor | number | string | boolean | null | undefined | readonly Tree[] | { readonly [key: string]: Tree };

/** A tree with its tensors numbered. */
export type TreeStructure =
  | { readonly kind: "leaf"; readonly leaf: number }
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "list"; readonly items: readonly TreeStructure[] }
  | { readonly kind: "record"; readonly keys: readonly string[]; readonly items: readonly TreeStructure[] };

/** True for `{…}`: an instance of a class has more to it than its fields. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * The tensors of a tree in a fixed order (record keys as inserted), and the way back.
 * @throws ConfigError kind `two-copies` for tensors of another copy of this package, kind `tree` for objects that are neither arrays nor plain records: they would come back as something else
 */
export function flattenTree(tree: Tree): { leaves: Tensor[]; structure: TreeStructure } {
  const leaves: Tensor[] = [];
  const walk = (t: Tree): TreeStructure => {
    if (t instanceof Tensor) return { kind: "leaf", leaf: leaves.push(t) - 1 };
    if (Array.isArray(t)) return { kind: "list", items: t.map(walk) };
    if (t === null || typeof t !== "object") return { kind: "value", value: t };
    refuseForeign(t);
    if (!isRecord(t))
      throw new ConfigError(`an instance of ${t.constructor.name} stands among tensors; expected arrays, records and plain values`, {
        kind: "tree",
        hint: "pass the tensors that it holds, or close over it",
      });
    return { kind: "record", keys: Object.keys(t), items: Object.values(t).map(walk) };
  };
  const structure = walk(tree);
  return { leaves, structure };
}

/** A tree of this structure over other tensors. */
export function unflattenTree(structure: TreeStructure, leaves: readonly Tensor[]): Tree {
  switch (structure.kind) {
    case "leaf":
      return leaves[structure.leaf]!;
    case "value":
      return structure.value as Tree;
    case "list":
      return structure.items.map((s) => unflattenTree(s, leaves));
    case "record":
      return Object.fromEntries(structure.keys.map((key, i) => [key, unflattenTree(structure.items[i]!, leaves)]));
  }
}

/**
 * The tensors of a tree in the order of `flattenTree`, put behind those in `leaves`, if it has this structure with the same plain values
 * (`Object.is`), keys in the same order.
 * @returns whether it has
 */
export function matchTree(structure: TreeStructure, tree: unknown, leaves: Tensor[]): boolean {
  switch (structure.kind) {
    case "leaf":
      return tree instanceof Tensor && leaves.push(tree) > 0;
    case "value":
      return Object.is(structure.value, tree);
    case "list": {
      const { items } = structure;
      if (!Array.isArray(tree) || tree.length !== items.length) return false;
      for (let i = 0; i < items.length; i++) if (!matchTree(items[i]!, tree[i], leaves)) return false;
      return true;
    }
    case "record": {
      if (typeof tree !== "object" || tree === null || tree instanceof Tensor || Array.isArray(tree)) return false;
      const { keys, items } = structure;
      let at = 0;
      for (const key in tree) {
        if (key !== keys[at] || !matchTree(items[at]!, (tree as Record<string, unknown>)[key], leaves)) return false;
        at++;
      }
      return at === keys.length;
    }
  }
}

/** Disposes of every tensor of a tree. @see Tensor.dispose */
export function disposeTree(tree: Tree): void {
  for (const t of flattenTree(tree).leaves) t.dispose();
}
