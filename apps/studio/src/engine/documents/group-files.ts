/** A file that was put, with its path in what was dropped. */
export interface PutFile {
  readonly path: string;
  readonly file: Blob;
}

/** Files that make one thing, by their names in its folder. */
export type FileGroup =
  | { readonly kind: "model" | "gguf" | "adapter" | "data"; readonly name: string; readonly files: ReadonlyMap<string, File> }
  | { readonly kind: "unknown"; readonly name: string; readonly why: string; readonly hint: string };

const DATA = /\.(jsonl|ndjson|json|csv|tsv|txt|parquet)$/i;
const WEIGHTS = /\.safetensors$/i;
/** What stands beside models and adapters, and is no data. */
const BESIDE =
  /(^|\/)(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|vocab|merges|added_tokens|preprocessor_config|trainer_state|weft_state|done|run|quantize_config|.*\.index)\.(json|txt)$/i;

/** What files are, folder by folder, by what lies together. Files that nothing is made of stand for themselves; hidden ones are left out. */
export function groupFiles(files: readonly PutFile[]): FileGroup[] {
  const folders = new Map<string, Map<string, File>>();
  for (const { path, file } of files) {
    const at = path.lastIndexOf("/");
    const name = path.slice(at + 1);
    if (name.startsWith(".")) continue;
    const folder = path.slice(0, Math.max(0, at));
    folders.set(folder, (folders.get(folder) ?? new Map<string, File>()).set(name, new File([file], name)));
  }
  return [...folders].flatMap(([folder, own]) => groupsOf(folder.slice(folder.lastIndexOf("/") + 1), own));
}

function groupsOf(folder: string, files: ReadonlyMap<string, File>): FileGroup[] {
  const names = [...files.keys()];
  const named = (fallback: string): string => (folder === "" ? fallback : folder);
  const groups: FileGroup[] = [];
  const adapter = files.has("adapter_config.json") && files.has("adapter_model.safetensors");
  const weights = names.filter((name) => WEIGHTS.test(name));
  const own = weights.filter((name) => name !== "adapter_model.safetensors" && name !== "optimizer.safetensors");
  if (adapter) groups.push({ kind: "adapter", name: named("adapter"), files });
  const isModel = files.has("config.json") && own.length > 0;
  if (isModel) groups.push({ kind: "model", name: named("model"), files });
  const gguf = names.filter((name) => /\.gguf$/i.test(name));
  for (const name of gguf) groups.push({ kind: "gguf", name, files: new Map([[name, files.get(name)!]]) });
  const inFolder = adapter || isModel;
  for (const name of names) {
    if (DATA.test(name) && !(inFolder && (BESIDE.test(name) || name.endsWith(".json"))) && !BESIDE.test(name))
      groups.push({ kind: "data", name, files: new Map([[name, files.get(name)!]]) });
    else if (!inFolder && WEIGHTS.test(name)) groups.push({ kind: "unknown", name, ...alone(name) });
  }
  if (groups.length > 0 || names.length === 0) return groups;
  const [first] = names;
  return [
    {
      kind: "unknown",
      name: named(first!),
      why: `${named(first!)}: nothing here can be opened`,
      hint: "Models are folders with config.json, tokenizer.json and safetensors, or GGUF files; data are .jsonl, .json, .csv, .tsv, .txt or .parquet.",
    },
  ];
}

const alone = (name: string): { readonly why: string; readonly hint: string } => ({
  why: `${name}: weights alone do not say what model they are of`,
  hint:
    name === "adapter_model.safetensors"
      ? "Drop its whole folder: adapter_config.json belongs beside it."
      : "Drop the model's whole folder: config.json and tokenizer.json belong beside it.",
});
