// What weft makes of GGUF files, for tests/python/gguf_files.py: a line of JSON is asked on stdin, one answers on stdout.
import { createInterface } from "node:readline";
import { openGgufPath, writeGguf } from "@weft/io-gguf/node";
import { WeftError } from "@weft/tensor-core";

interface Question {
  readonly path: string;
  /** Written again here if given. */
  readonly out?: string;
  readonly maxSplitBytes?: number;
}

async function answer({ path, out, maxSplitBytes }: Question): Promise<object> {
  try {
    const file = await openGgufPath(path);
    const tensors = [...file.tensors.values()].map(({ name, type, shape, offset, bytes }) => ({ name, type, shape, offset, bytes }));
    if (out !== undefined) {
      const data = await Promise.all(
        tensors.map(async ({ name, type, shape }) => ({ name, type, shape, data: (await file.read(name)).data })),
      );
      await writeGguf(out, file.metadata, data, maxSplitBytes === undefined ? {} : { maxSplitBytes });
    }
    await file.close();
    return { tensors, keys: [...file.metadata.keys()] };
  } catch (error) {
    return { error: error instanceof WeftError ? error.kind : `not a WeftError: ${String(error)}` };
  }
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Question))}\n`);
