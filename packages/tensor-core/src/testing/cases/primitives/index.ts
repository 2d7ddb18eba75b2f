import type { ConformanceCase } from "../../case.js";
import { binary } from "./binary.js";
import { bits } from "./bits.js";
import { cast } from "./cast.js";
import { control } from "./control.js";
import { conv } from "./conv.js";
import { generated } from "./generated.js";
import { indexing } from "./indexing.js";
import { matmul } from "./matmul.js";
import { movingBox } from "./moving-box.js";
import { movement } from "./movement.js";
import { reduce } from "./reduce.js";
import { scan } from "./scan.js";
import { select } from "./select.js";
import { sort } from "./sort.js";
import { unary } from "./unary.js";

/** Cases of the primitives, a file per group. */
export const PRIMITIVE_CASES: readonly ConformanceCase[] = [
  ...generated,
  ...unary,
  ...binary,
  ...cast,
  ...bits,
  ...select,
  ...reduce,
  ...matmul,
  ...conv,
  ...movement,
  ...indexing,
  ...movingBox,
  ...scan,
  ...sort,
  ...control,
];
