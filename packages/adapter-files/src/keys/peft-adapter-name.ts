import type { AdapterMethod, LayerKind, LayerSpec } from "@weft/tensor-core";
import { MAX_KEY_LENGTH } from "./parse-key.js";

/** A layer of each kind, to ask a method what its parameters are called there. */
const SHAPES: { readonly [kind in LayerKind]?: readonly number[] } = {
  linear: [1, 1],
  embedding: [1, 1],
  norm: [1],
  parameter: [1, 1],
  conv1d: [1, 1, 1],
  conv2d: [1, 1, 1, 1],
  conv3d: [1, 1, 1, 1, 1],
};

/**
 * Finds the adapter's name in a tensor's name of a PEFT file, where the renaming on saving had not taken it out: `lora_A.my_adapter.weight`,
 * `ia3_l.my_adapter`, `modules_to_save.my_adapter.weight`. What is a parameter's name as it stands has none.
 */
export function adapterNameFinder(method: AdapterMethod<never>): (name: string) => string | undefined {
  const layers = Object.entries(SHAPES).map(([kind, shape]): LayerSpec => ({ kind: kind as LayerKind, shape, dtype: "f32", bias: true }));
  const keys = new Set(layers.flatMap((layer) => Object.values(method.keys(layer)).flat()));
  return (name) => {
    if (name.length > MAX_KEY_LENGTH) return undefined;
    const parts = name.split(".");
    const saved = parts.indexOf("modules_to_save");
    if (saved > 0) return parts.length > saved + 2 ? parts[saved + 1] : undefined;
    const at = parts.findLastIndex((part) => part.startsWith(method.prefix));
    const key = parts.slice(at);
    if (at < 1 || key.length < 2 || keys.has(key.join("."))) return undefined;
    // It comes last, or right before the last part.
    const place = [key.length - 1, key.length - 2].find((i) => i > 0 && keys.has(key.toSpliced(i, 1).join(".")));
    return place === undefined ? undefined : key[place];
  };
}
