// What weft makes of GGUF files, for tests/python/gguf_files.py: a line of JSON is asked on stdin, one answers on stdout.
import { createInterface } from "node:readline";
import { tensorNames } from "@weft/io-gguf";
import { openGgufPath, writeGguf } from "@weft/io-gguf/node";
import { WeftError } from "@weft/tensor-core";

/** Names of a checkpoint in GGUF files of an architecture. */
interface NamesQuestion {
  readonly architecture: string;
  readonly names: readonly string[];
}

interface FileQuestion {
  readonly path: string;
  /** Written again here if given. */
  readonly out?: string;
  readonly maxSplitBytes?: number;
}

const answerNames = ({ architecture, names }: NamesQuestion): object => {
  const { toGguf, toHf } = tensorNames(architecture);
  return names.map((name) => {
    const gguf = toGguf(name);
    return gguf && { ...gguf, back: toHf(gguf.name)?.name };
  });
};

async function answer({ path, out, maxSplitBytes }: FileQuestion): Promise<object> {
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

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line) as NamesQuestion | FileQuestion;
  process.stdout.write(`${JSON.stringify("names" in question ? answerNames(question) : await answer(question))}\n`);
}
