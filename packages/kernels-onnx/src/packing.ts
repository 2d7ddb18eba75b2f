import { join } from "node:path";
import { type ConstantFiles, externalDataOf, type StoredConstant } from "./constant-files.js";
import type { Graph } from "./model/graph.js";
import { graphOf, type Product, productsOf } from "./model/products.js";
import { externalDataIn } from "./model/reader.js";
import type { OrtThread } from "./runtime/thread.js";

/** Of factors that are as well packed anew in each session. */
const LEAST_BYTES = 1 << 16;
/** Of factors that are packed at once: while that is done they lie in memory twice. */
const MOST_BYTES = 1 << 24;
/** Whether packed forms may be shared: known of the kernels of the one family of processors that this is tested on. */
export const sharesPacked = (providers: readonly string[]): boolean => providers.every((name) => name === "cpu") && process.arch === "x64";

/**
 * Has the runtime pack the second factors of a graph's products, and keeps that form in the file of the factors, behind them: sessions whose kernels would make the same of them
 * map it from there instead of holding it once more.
 * @param constants of the graph, by their numbers there
 * @param fresh those of them that were just written, to one file
 */
export async function packProducts(
  graph: Graph,
  constants: readonly StoredConstant[],
  fresh: ReadonlySet<StoredConstant>,
  files: ConstantFiles,
  thread: OrtThread,
): Promise<void> {
  let batch: Product[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await packBatch(batch, graph, constants, files, thread);
    [batch, bytes] = [[], 0];
  };
  // What others are writing may not be there yet.
  const isFresh = (name: string): boolean => {
    const external = graph.externals.get(name);
    return !external || fresh.has(constants[Number(external.location)]!);
  };
  for (const product of productsOf(graph)) {
    const { length } = constants[Number(product.location)]!.place!;
    if (!product.node.inputs.every(isFresh) || length < LEAST_BYTES) continue;
    if (bytes + length > MOST_BYTES) await flush();
    batch.push(product);
    bytes += length;
  }
  await flush();
}

async function packBatch(
  products: readonly Product[],
  graph: Graph,
  constants: readonly StoredConstant[],
  files: ConstantFiles,
  thread: OrtThread,
): Promise<void> {
  const packing = graphOf(products, graph);
  const factors = products.map(({ location }) => constants[Number(location)]!);
  const { file } = factors[0]!.place!;
  const name = `${file.name}-packing`;
  const from = join(files.folder, name);
  const saved = `${from}.onnx`;
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
  const model = packing.graph.model((location) => externalDataOf(constants[Number(location)]!));
  const data = externalDataIn((await thread.call({ do: "pack", model, options, saved }, [model.buffer]))!);
  const parts: { offset: number; length: number; to: number }[] = [];
  factors.forEach((factor, i) => {
    // `key|offset;length;checksum|offset;…`
    const value = new Map(data.get(packing.factors[i]!)).get("prepacked_0");
    if (value === undefined) return;
    const [key, ...blobs] = value.split("|") as [string, ...string[]];
    const places = blobs.map((blob) => {
      const [offset, length] = blob.split(";").map(Number) as [number, number];
      const place = files.place(file, length);
      parts.push({ offset, length, to: place.offset });
      return place;
    });
    factor.packed = { key, places };
  });
  await thread.call({ do: "append", from, path: file.path, parts });
}
