import { callCase } from "./calls.js";
import type { CoreCase } from "./case.js";
import { compositesCase } from "./composites.js";
import { decodingCase } from "./decoding.js";
import { largeModelCase } from "./large-model.js";
import { linearCase } from "./linear.js";
import { packedCase } from "./packed.js";
import { trainingCase } from "./training.js";

/** The subjects of the suite, in the order in which they run. */
export const CORE_CASES: readonly CoreCase[] = [
  callCase,
  trainingCase,
  decodingCase,
  compositesCase,
  linearCase,
  packedCase,
  largeModelCase,
];
