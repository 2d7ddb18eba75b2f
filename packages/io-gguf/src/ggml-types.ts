/** How elements of a type lie in memory: in blocks of neighbours along the innermost axis. */
export interface GgmlType {
  /** The number that files hold. */
  readonly id: number;
  /** Elements in a block. */
  readonly elements: number;
  /** Bytes of a block. */
  readonly bytes: number;
}

/** A name of ggml's types. */
export type GgmlTypeName =
  | "F32"
  | "F16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q8_1"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "Q8_K"
  | "IQ2_XXS"
  | "IQ2_XS"
  | "IQ3_XXS"
  | "IQ1_S"
  | "IQ4_NL"
  | "IQ3_S"
  | "IQ2_S"
  | "IQ4_XS"
  | "I8"
  | "I16"
  | "I32"
  | "I64"
  | "F64"
  | "IQ1_M"
  | "BF16"
  | "TQ1_0"
  | "TQ2_0"
  | "MXFP4"
  | "NVFP4"
  | "Q1_0";

const type = (id: number, elements: number, bytes: number): GgmlType => ({ id, elements, bytes });

/** The types of tensors under ggml's names. Numbers that are missing were given up by ggml (Q4_2, Q4_3, the repacked Q4_0). @see ggml `ggml.h` ggml_type, `ggml-common.h` */
export const GGML_TYPES: Readonly<Record<GgmlTypeName, GgmlType>> = {
  F32: type(0, 1, 4),
  F16: type(1, 1, 2),
  Q4_0: type(2, 32, 18),
  Q4_1: type(3, 32, 20),
  Q5_0: type(6, 32, 22),
  Q5_1: type(7, 32, 24),
  Q8_0: type(8, 32, 34),
  Q8_1: type(9, 32, 36),
  Q2_K: type(10, 256, 84),
  Q3_K: type(11, 256, 110),
  Q4_K: type(12, 256, 144),
  Q5_K: type(13, 256, 176),
  Q6_K: type(14, 256, 210),
  Q8_K: type(15, 256, 292),
  IQ2_XXS: type(16, 256, 66),
  IQ2_XS: type(17, 256, 74),
  IQ3_XXS: type(18, 256, 98),
  IQ1_S: type(19, 256, 50),
  IQ4_NL: type(20, 32, 18),
  IQ3_S: type(21, 256, 110),
  IQ2_S: type(22, 256, 82),
  IQ4_XS: type(23, 256, 136),
  I8: type(24, 1, 1),
  I16: type(25, 1, 2),
  I32: type(26, 1, 4),
  I64: type(27, 1, 8),
  F64: type(28, 1, 8),
  IQ1_M: type(29, 256, 56),
  BF16: type(30, 1, 2),
  TQ1_0: type(34, 256, 54),
  TQ2_0: type(35, 256, 66),
  MXFP4: type(39, 32, 17),
  NVFP4: type(40, 64, 36),
  Q1_0: type(41, 128, 18),
};

const NAMES: ReadonlyMap<number, GgmlTypeName> = new Map(Object.entries(GGML_TYPES).map(([name, { id }]) => [id, name as GgmlTypeName]));

/** The type of a number in a file. */
export const ggmlTypeOf = (id: number): GgmlTypeName | undefined => NAMES.get(id);
