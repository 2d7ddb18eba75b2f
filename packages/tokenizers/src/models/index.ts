import { componentReader, type Reader } from "../json/read-component.js";
import { Field } from "../json/fields.js";
import { BPE } from "./bpe.js";
import type { Model } from "./model.js";
import { UNIGRAM } from "./unigram.js";
import { WORD_LEVEL } from "./word-level.js";
import { WORD_PIECE } from "./word-piece.js";

const read = componentReader<Model>("model", [BPE, WORD_PIECE, WORD_LEVEL, UNIGRAM]);

/** Reads the `model` of a file. Old ones do not name its type: it follows from the fields, in the order in which the Python library tries them. */
export const readModel: Reader<Model> = (field) => {
  if (!field.at("type").absent) return read(field);
  const has = (name: string): boolean => field.map.has(name);
  const type = has("merges")
    ? "BPE"
    : Array.isArray(field.at("vocab").value)
      ? "Unigram"
      : has("continuing_subword_prefix")
        ? "WordPiece"
        : "WordLevel";
  return read(new Field(new Map([...field.map, ["type", type]]), field.path, field.file));
};
