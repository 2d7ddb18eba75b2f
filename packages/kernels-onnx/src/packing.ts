import { join } from "node:path";
import type { ConstantFile, ConstantFiles } from "./constant-files.js";
import type { Graph } from "./model/graph.js";
import type { ExternalData } from "./model/messages.js";
import { graphOf, type Product, productsOf } from "./model/products.js";
import { externalDataOf } from "./model/reader.js";
import type { OrtThread } from "./runtime/thread.js";

/** Of factors that are as well packed anew in each session. */
const LEAST_BYTES = 1 << 16;
/** Of factors that are packed at once: while that is done they lie in memory twice. */
const MOST_BYTES = 1 << 24;
/** Of the addresses that kernels lay out what they pack by: the runtime's own memory begins at multiples of it. */
const ALIGNMENT = 64;

/** Whether packed forms may be shared: known of the kernels of the one family of processors that this is tested on. */
export const sharesPacked = (providers: readonly string[]): boolean => providers.every((name) => name === "cpu") && process.arch === "x64";

/** A constant of a graph, by the number that it has there. */
export interface Stored {
  readonly file: ConstantFile;
  readonly bytes: number;
}

/**
 * Has the runtime pack the second factors of a graph's products, and keeps that form in the files of the factors, behind them: sessions whose kernels would make the same of them
 * map it from there instead of holding it once more.
 * @param fresh those that are not packed yet
 */
export async function packProducts(
  graph: Graph,
  constants: readonly Stored[],
  fresh: ReadonlySet<ConstantFile>,
  files: ConstantFiles,
  thread: OrtThread,
): Promise<void> {
  const at = ({ location }: Product): Stored => constants[Number(location)]!;
  let batch: Product[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await packBatch(batch, graph, constants, files, thread);
    [batch, bytes] = [[], 0];
  };
  // What others are writing may not be there yet.
  const isFresh = (name: string): boolean => {
    const external = graph.externals.get(name);
    return !external || fresh.has(constants[Number(external.location)]!.file);
  };
  for (const product of productsOf(graph)) {
    const stored = at(product);
    if (!product.node.inputs.every(isFresh) || stored.bytes < LEAST_BYTES) continue;
    if (bytes + stored.bytes > MOST_BYTES) await flush();
    batch.push(product);
    bytes += stored.bytes;
  }
  await flush();
}

async function packBatch(
  products: readonly Product[],
  graph: Graph,
  constants: readonly Stored[],
  files: ConstantFiles,
  thread: OrtThread,
): Promise<void> {
  const packing = graphOf(products, graph);
  const name = `${constants[Number(products[0]!.location)]!.file.name}-packing`;
  const path = join(files.folder, name);
  const saved = `${path}.onnx`;
  const options = {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "disabled",
    enableMemPattern: false,
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
    optimizedModelFilePath: saved,
    extra: {
      session: {
        model_external_initializers_file_folder_path: files.folder,
        optimized_model_external_initializers_file_name: name,
        optimized_model_external_initializers_min_size_in_bytes: String(LEAST_BYTES),
        save_external_prepacked_constant_initializers: "1",
      },
    },
  };
  const model = packing.graph.model((location) => constants[Number(location)]!.file.data);
  const data = externalDataOf((await thread.call({ do: "pack", model, options, saved }, [model.buffer]))!);
  const parts = products.flatMap(({ location }, i) => {
    const { file, bytes } = constants[Number(location)]!;
    const { value, blobs } = behind(data.get(packing.factors[i]!)!, bytes);
    if (blobs.length > 0)
      file.data = [
        ["location", file.name],
        ["offset", "0"],
        ["length", String(bytes)],
        ["prepacked_0", value],
      ];
    return blobs.map((blob) => ({ path: files.pathOf(file), ...blob }));
  });
  await thread.call({ do: "append", from: path, parts });
}

/** A piece of a file that is copied to another place of another. */
interface Blob {
  readonly offset: number;
  readonly length: number;
  readonly to: number;
}

/** The packed forms in a file, `key|offset;length;checksum|offset;…`, as they are in another one behind so many bytes. */
function behind(data: ExternalData, bytes: number): { readonly value: string; readonly blobs: readonly Blob[] } {
  const [, packed] = data.find(([key]) => key === "prepacked_0") ?? ["", ""];
  const [key, ...parts] = packed.split("|");
  let end = bytes;
  const blobs = parts.map((part) => {
    const [offset, length] = part.split(";").map(Number) as [number, number];
    const to = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    end = to + length;
    return { offset, length, to };
  });
  return { value: [key, ...blobs.map(({ to, length }) => `${to};${length};0`)].join("|"), blobs };
}
