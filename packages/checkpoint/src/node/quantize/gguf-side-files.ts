import type { GgufFile } from "@weft/io-gguf";
import type { ModelConfig } from "../../changes/tied.js";
import type { WeightDType } from "../../plan/plan-merge.js";
import { configOfGguf } from "@weft/io-gguf";
import { ggufTokenizerFiles } from "./gguf-tokenizer-files.js";
import { poolingFiles } from "./gguf-pooling.js";
import type { SideFile } from "../side-files.js";

const TORCH = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** Numbers with a point, as Python takes one without for a whole number, which transformers refuses here. */
const withPoints = (json: string): string =>
  json.replace(
    /("(?:rope_theta|rope_local_base_freq|factor|attention_factor|beta_fast|beta_slow|\w+_softcapping)": \d+)(?=[,\s])/g,
    "$1.0",
  );

/** What goes beside the weights of a GGUF file that become a folder of transformers. */
export interface GgufSideFiles {
  /** config.json as it would be. */
  readonly model: ModelConfig;
  /** What a user should know. */
  readonly notices: readonly string[];
  /** config.json, the tokenizer's, and those of a sentence encoder's pooling. @param dtype of the floats; f32 if not given */
  files(dtype: WeightDType | undefined): SideFile[];
}

/** @param from the path that the file was named by @throws as `configOfGguf` */
export async function ggufSideFiles(file: GgufFile, from: string): Promise<GgufSideFiles> {
  const model = await configOfGguf(file, TORCH.f32);
  const tokenizer = await ggufTokenizerFiles(file, from);
  const pooling = poolingFiles(file, from);
  return {
    model,
    notices: tokenizer.notice === undefined ? [] : [tokenizer.notice],
    files: (dtype = "f32") => [
      {
        name: "config.json",
        from,
        text: `${withPoints(JSON.stringify({ ...model, torch_dtype: TORCH[dtype] }, undefined, 2))}\n`,
      },
      ...tokenizer.files,
      ...pooling,
    ],
  };
}
