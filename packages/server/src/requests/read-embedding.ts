import { Fields, HARMLESS, oneOf, string, texts } from "./fields.js";

/** A request for vectors. */
export interface EmbeddingRequest {
  readonly model: string;
  readonly input: readonly string[];
  /** Numbers as JSON, or the bytes of float32 numbers, the lowest first, as base64. */
  readonly encoding: "float" | "base64";
}

/** As OpenAI's API has it. */
const MAX_INPUTS = 2048;

/** The body of `/v1/embeddings`. @throws ApiError 400 */
export function readEmbedding(body: unknown): EmbeddingRequest {
  const fields = new Fields(body);
  const model = fields.require("model", string);
  const given = fields.require("input", texts);
  const input = typeof given === "string" ? [given] : given;
  if (input.length > MAX_INPUTS) throw fields.error("input", `has ${input.length} texts, at most ${MAX_INPUTS} are taken`);
  if (input.includes("")) throw fields.error("input", "has an empty text");
  const encoding = fields.take("encoding_format", oneOf<"float" | "base64">("float", "base64")) ?? "float";
  fields.end(HARMLESS);
  return { model, input, encoding };
}
