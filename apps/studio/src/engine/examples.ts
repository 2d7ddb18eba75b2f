import { type EncodedExample, readRows, splitExamples } from "@weft/datasets";
import { encodeRows, type FineTuningSettings } from "@weft/fine-tuning";
import type { OpenData, OpenModel } from "./documents/opened.js";

/** Examples of data as a model reads them, and those that are evaluated on and not trained on. */
export interface EncodedData {
  readonly train: readonly EncodedExample[];
  readonly evaluation: readonly EncodedExample[] | undefined;
}

/** Examples of data for a model. The last ones are kept: the lens looks at them page by page. */
export class EncodedExamples {
  private last: { readonly key: string; readonly value: Promise<EncodedData> } | undefined;

  /** @throws what `encodeRows` throws */
  of(data: OpenData, model: OpenModel, settings: FineTuningSettings): Promise<EncodedData> {
    const { objective, format, columns, mask, maxLength, validationShare, seed } = settings;
    const key = JSON.stringify([data.document.id, model.document.id, objective, format, columns, mask, maxLength, validationShare, seed]);
    if (this.last?.key === key) return this.last.value;
    const value = encode(data, model, settings);
    this.last = { key, value };
    value.catch(() => (this.last = undefined));
    return value;
  }
}

async function encode({ name, content }: OpenData, { base, files }: OpenModel, settings: FineTuningSettings): Promise<EncodedData> {
  const { validationShare: share, seed } = settings;
  const read = await encodeRows(readRows(content, { name }), name, settings, files, base.config.vocabSize);
  return share === undefined ? { train: read, evaluation: undefined } : splitExamples(read, { share, seed });
}
