import { describeReport, matchAdapter } from "@weft/adapter-files";
import { parseDType } from "@weft/io-safetensors";
import type { Inspection } from "../../protocol/answers.js";
import type { OpenAdapter, OpenModel } from "../documents/opened.js";
import type { Handler } from "./command-context.js";

/** How an adapter fits a model: by names and shapes, nothing is read. */
async function fitOf({ adapter }: OpenAdapter, { document, tensors }: OpenModel): Promise<Inspection["fits"][number]> {
  const byName = new Map(tensors.map((one) => [one.name, one]));
  const report = await matchAdapter(adapter, {
    names: () => byName.keys(),
    info: (name) => byName.get(name)!,
  });
  const whole = report.missing.length === 0 && report.mismatched.length === 0;
  return { model: document.name, lines: describeReport(report), whole };
}

/** Whether a model's tensors have names and dtypes that adapters are matched by: those of GGUF files have others. */
const isMatched = ({ tensors }: OpenModel): boolean => tensors.every(({ dtype }) => parseDType(dtype) !== undefined);

/** What is in a document, by its headers. */
export const inspect: Handler<"inspect"> = async ({ document }, { documents }) => {
  const opened = documents.document(document);
  if (!("tensors" in opened)) return { tensors: [], fits: [] };
  const fits: Inspection["fits"] = [];
  if ("adapter" in opened) for (const model of documents.allModels()) if (isMatched(model)) fits.push(await fitOf(opened, model));
  return { tensors: [...opened.tensors], fits };
};
