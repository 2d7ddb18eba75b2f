/** Ends of module paths in the order of a model's code: before its blocks, inside each, behind them. */
type Order = readonly [before: readonly string[], block: readonly string[], after: readonly string[]];

const LLAMA: Order = [["embed_tokens"], ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], ["lm_head"]];
const ENCODER = [
  "attention.self.query",
  "attention.self.key",
  "attention.self.value",
  "attention.output.dense",
  "intermediate.dense",
  "output.dense",
];

/** By `model_type`. @see fixtures/make_module_orders.py */
const ORDERS: ReadonlyMap<string, Order> = new Map<string, Order>([
  ...["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"].map((type) => [type, LLAMA] as const),
  ["phi3", [["embed_tokens"], ["o_proj", "qkv_proj", "gate_up_proj", "down_proj"], ["lm_head"]]],
  ["opt", [["embed_tokens", "embed_positions"], ["k_proj", "v_proj", "q_proj", "out_proj", "fc1", "fc2"], ["lm_head"]]],
  ["gpt2", [["wte", "wpe"], ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"], ["lm_head"]]],
  ["gpt_neox", [["embed_in"], ["query_key_value", "attention.dense", "dense_h_to_4h", "dense_4h_to_h"], ["embed_out", "lm_head"]]],
  ["bert", [["word_embeddings", "position_embeddings", "token_type_embeddings"], ENCODER, ["pooler.dense"]]],
  ["roberta", [["word_embeddings", "token_type_embeddings", "position_embeddings"], ENCODER, ["pooler.dense"]]],
]);

/**
 * Paths of linear and embedding modules in the order in which the Python model registers them, which a checkpoint does not keep.
 * @param modelType transformers' `model_type`
 * @returns undefined if the order of such models, or the place of a path, is not known
 */
export function moduleOrder(modelType: unknown, paths: Iterable<string>): string[] | undefined {
  const order = ORDERS.get(String(modelType));
  if (!order) return undefined;
  const placed = [...paths].map((path) => ({ path, place: placeOf(path, order) }));
  if (placed.some(({ place }) => place === undefined)) return undefined;
  return placed
    .toSorted(({ place: a }, { place: b }) => {
      const at = a!.findIndex((x, i) => x !== b![i]);
      return at < 0 ? 0 : a![at]! - b![at]!;
    })
    .map(({ path }) => path);
}

/** Section, number of the block, place inside. */
function placeOf(path: string, [before, block, after]: Order): readonly [number, number, number] | undefined {
  const number = path.split(".").find((part) => /^\d+$/.test(part));
  const sections =
    number === undefined
      ? ([
          [0, before],
          [2, after],
        ] as const)
      : ([[1, block]] as const);
  for (const [section, names] of sections) {
    const fits = names.filter((name) => path === name || path.endsWith(`.${name}`));
    const longest = fits.toSorted((a, b) => b.length - a.length)[0];
    if (longest !== undefined) return [section, Number(number ?? 0), names.indexOf(longest)];
  }
  return undefined;
}
