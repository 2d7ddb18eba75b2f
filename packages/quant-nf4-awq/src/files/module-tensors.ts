import { CapabilityError } from "@weft/tensor-core";
import type { ModuleTensors, QuantFiles, ReadOptions } from "./quant-files.js";
import { QUANT_FILES } from "./table.js";

/** What lies beside a weight's tensors and is none of them: biases, scales of inputs, parameters of modules inside. */
const OTHERS = /^(bias|input_scale|.*\..*\.weight)$/;

/**
 * The tensors that quantised weights lie in.
 * @param names of all tensors of a checkpoint
 * @param paths modules whose weight is quantised (`findQuantization`)
 * @returns by path: names behind it (`weight.absmax`) → names in the checkpoint
 */
export function quantizedTensors(names: Iterable<string>, paths: Iterable<string>): Map<string, Map<string, string>> {
  const modules = new Map([...paths].map((path) => [path, new Map<string, string>()]));
  for (const name of names)
    for (let dot = name.lastIndexOf("."); dot > 0; dot = name.lastIndexOf(".", dot - 1)) {
      const tensors = modules.get(name.slice(0, dot));
      if (!tensors) continue;
      const behind = name.slice(dot + 1);
      if (!OTHERS.test(behind)) tensors.set(behind, name);
      break;
    }
  return modules;
}

/** What messages say of a module's weight. */
export interface WrittenWeight extends ReadOptions {
  /** What `findQuantization` calls its format. */
  readonly format: string;
  readonly file: string;
}

/** The program that wrote a module's tensors. @throws CapabilityError kind `quantized-base` if its files are not read */
export function quantFilesOf(tensors: ModuleTensors, { path, config, format, file }: WrittenWeight): QuantFiles {
  const files = QUANT_FILES.find((one) => one.matches(tensors, config));
  if (files) return files;
  throw new CapabilityError(`${path}: this weight is quantised in a format that is not read (${format})`, {
    kind: "quantized-base",
    file,
    ...(path !== undefined && { tensor: path }),
    hint: "start from the 16-bit checkpoint that was quantised",
  });
}
