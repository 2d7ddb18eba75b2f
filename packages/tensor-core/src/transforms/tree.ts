import { Tensor } from "../graph.js";

/** Tensors in nested arrays and records; other values (numbers, strings, null) are carried along unchanged. */
export type Tree = Tensor | number | string | boolean | null | undefined | readonly Tree[] | { readonly [key: string]: Tree };

/** A tree with its tensors numbered. */
export type TreeStructure =
  | { readonly leaf: number }
  | { readonly value: unknown }
  | { readonly list: readonly TreeStructure[] }
  | { readonly record: readonly (readonly [string, TreeStructure])[] };

/** The tensors of a tree in a fixed order (record keys as inserted), and the way back. */
export function flattenTree(tree: Tree): { leaves: Tensor[]; structure: TreeStructure } {
  const leaves: Tensor[] = [];
  const walk = (t: Tree): TreeStructure => {
    if (t instanceof Tensor) return { leaf: leaves.push(t) - 1 };
    if (Array.isArray(t)) return { list: t.map(walk) };
    if (t !== null && typeof t === "object") return { record: Object.entries(t).map(([k, v]) => [k, walk(v)] as const) };
    return { value: t };
  };
  const structure = walk(tree);
  return { leaves, structure };
}

export function unflattenTree(structure: TreeStructure, leaves: readonly Tensor[]): Tree {
  if ("leaf" in structure) return leaves[structure.leaf]!;
  if ("list" in structure) return structure.list.map((s) => unflattenTree(s, leaves));
  if ("record" in structure) return Object.fromEntries(structure.record.map(([k, s]) => [k, unflattenTree(s, leaves)]));
  return structure.value as Tree;
}
