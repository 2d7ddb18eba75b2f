import { mergeFiles } from "@weft/checkpoint/browser";
import { ADAPTER_METHODS } from "@weft/methods";

/** What the page answers: SHA-256 of the files that it wrote, by name, or why it did not. */
export interface MergeAnswer {
  readonly files?: Readonly<Record<string, string>>;
  /** Names in the origin's private file system. */
  readonly left?: readonly string[];
  readonly error?: string;
}

const BASE = [1, 2, 3, 4].map((i) => `model-0000${i}-of-00004.safetensors`);

const fetched = (folder: string, names: readonly string[]): Promise<File[]> =>
  Promise.all(names.map(async (name) => new File([await (await fetch(`${folder}/${name}`)).blob()], name)));

async function hash(file: File): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Merges an adapter, given as a user's files, into a model of the same, and writes the origin's private file system. */
async function run(): Promise<MergeAnswer> {
  const folder = await navigator.storage.getDirectory();
  const names = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) found.push(name);
    return found.sort();
  };
  const base = await fetched("base", [...BASE, "model.safetensors.index.json", "config.json"]);
  const adapter = await fetched("adapter", ["adapter_model.safetensors", "adapter_config.json"]);
  const create = async (name: string): Promise<WritableStream<Uint8Array>> =>
    (await (await folder.getFileHandle(name, { create: true })).createWritable()) as unknown as WritableStream<Uint8Array>;
  const merge = { base, methods: ADAPTER_METHODS, open: create };
  try {
    const { files } = await mergeFiles({ ...merge, adapters: [{ files: adapter, scale: 0.5 }] });
    const hashes = await Promise.all(
      files.map(async ({ name }) => [name, await hash(await (await folder.getFileHandle(name)).getFile())] as const),
    );
    return { files: Object.fromEntries(hashes), left: await names() };
  } catch (error) {
    return { error: (error as Error).message, left: await names() };
  }
}

void run().then((answer) => fetch("answer", { method: "POST", body: JSON.stringify(answer) }));
