import type { GgufFile } from "@weft/io-gguf";
import type { ModelConfig } from "../../changes/tied.js";
import type { WeightDType } from "../../plan/plan-merge.js";
import { configOfGguf } from "@weft/io-gguf";
import { ggufTokenizerFiles } from "./gguf-tokenizer-files.js";
import type { SideFile } from "../side-files.js";

const TORCH = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** What goes beside the weights of a GGUF file that become a folder of transformers. */
export interface GgufSideFiles {
  /** config.json as it would be. */
  readonly model: ModelConfig;
  /** What a user should know. */
  readonly notices: readonly string[];
  /** config.json, and the tokenizer's. @param dtype of the floats; f32 if not given */
  files(dtype: WeightDType | undefined): SideFile[];
}

/** @param from the path that the file was named by @throws as `configOfGguf` */
export async function ggufSideFiles(file: GgufFile, from: string): Promise<GgufSideFiles> {
  const model = await configOfGguf(file, TORCH.f32);
  const tokenizer = await ggufTokenizerFiles(file, from);
  return {
    model,
    notices: tokenizer.notice === undefined ? [] : [tokenizer.notice],
    files: (dtype = "f32") => [
      {
        name: "config.json",
        from,
        // Python reads a number without a point as a whole one.
        text: `${JSON.stringify({ ...model, torch_dtype: TORCH[dtype] }, undefined, 2).replace(/("rope_theta": \d+)(?=,)/, "$1.0")}\n`,
      },
      ...tokenizer.files,
    ],
  };
}
