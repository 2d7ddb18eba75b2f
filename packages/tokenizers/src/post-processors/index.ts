import { componentReader, type Reader } from "../json/read-component.js";
import { BERT } from "./bert.js";
import { BYTE_LEVEL } from "./byte-level.js";
import type { PostProcessor } from "./post-processor.js";
import { ROBERTA } from "./roberta.js";
import { SEQUENCE } from "./sequence.js";
import { TEMPLATE } from "./template.js";

/** Reads a post-processor, the `post_processor` of a file. */
export const readPostProcessor: Reader<PostProcessor> = componentReader("post-processor", [BERT, BYTE_LEVEL, ROBERTA, SEQUENCE, TEMPLATE]);
