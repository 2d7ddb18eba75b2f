// What weft makes of GGUF files, for tests/python/gguf_files.py: a line of JSON is asked on stdin, one answers on stdout.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { tensorNames } from "@weft/io-gguf";
import { openGgufPath, writeGguf } from "@weft/io-gguf/node";
import { type GgufType, ggufWeight, toPacked } from "@weft/quant-nf4-awq";
import { dequantize, WeftError } from "@weft/tensor-core";
import { goldenDevice } from "./device.js";

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

/** SHA-256 of a tensor's bytes, and of the f32 numbers that they mean. */
interface HashQuestion {
  readonly path: string;
  readonly tensor: string;
}

const answerNames = ({ architecture, names }: NamesQuestion): object => {
  const { toGguf, toHf } = tensorNames(architecture);
  return names.map((name) => {
    const gguf = toGguf(name);
    return gguf && { ...gguf, back: toHf(gguf.name)?.name };
  });
};

const device = await goldenDevice();
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function answerHash({ path, tensor }: HashQuestion): Promise<object> {
  const file = await openGgufPath(path);
  const { type, shape, data } = await file.read(tensor);
  await file.close();
  const matrix = [shape.length === 1 ? 1 : shape[0]!, shape.at(-1)!] as const;
  const weight = dequantize(toPacked(ggufWeight(type as GgufType, matrix, data), device));
  const { buffer, byteOffset, byteLength } = (await weight.data()) as Float32Array;
  weight.dispose();
  return { bytes: sha256(data), values: sha256(new Uint8Array(buffer, byteOffset, byteLength)) };
}

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
  const question = JSON.parse(line) as NamesQuestion | HashQuestion | FileQuestion;
  const answered = "names" in question ? answerNames(question) : "tensor" in question ? await answerHash(question) : await answer(question);
  process.stdout.write(`${JSON.stringify(answered)}\n`);
}
device.dispose();
