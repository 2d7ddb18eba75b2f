import { listNames } from "./list-names.js";

/**
 * What a warning is about; programs tell warnings apart by it.
 * - `file`: the file is odd; it was read all the same
 * - `unsafe-pattern`: a pattern of the config was not run
 * - `unknown-fields`: fields of the config that are not known
 * - `other-adapters`: adapters of the file that are not meant
 * - `unused-tensors`: tensors that belong to no module
 * - `unknown-alpha`: nothing says alpha
 * - `no-alpha`: no alpha for some modules or all, whose scale is 1
 * - `alpha-in-header`: alpha is that of the header
 * - `without-effect`: modules whose alpha or rank is 0
 */
export type AdapterWarningKind =
  | "file"
  | "unsafe-pattern"
  | "unknown-fields"
  | "other-adapters"
  | "unused-tensors"
  | "unknown-alpha"
  | "no-alpha"
  | "alpha-in-header"
  | "without-effect";

/** What a user should be told once about an opened adapter. */
export interface AdapterWarning {
  readonly kind: AdapterWarningKind;
  readonly message: string;
}

/** A list of names as one warning; none if there are none. */
const about = (kind: AdapterWarningKind, names: readonly string[], what: string): AdapterWarning[] =>
  names.length === 0 ? [] : [{ kind, message: `${what}: ${listNames(names)}` }];

const tensors = (count: number): string => `${count} ${count === 1 ? "tensor" : "tensors"}`;
const modules = (count: number): string => `${count} ${count === 1 ? "module" : "modules"}`;

/** Everything that opening an adapter warns of. */
export const ADAPTER_WARNINGS = {
  file: (messages: readonly string[]): AdapterWarning[] => messages.map((message) => ({ kind: "file", message })),
  unsafePattern: (reason: string): AdapterWarning => ({
    kind: "unsafe-pattern",
    message: `${reason}; the modules are taken from the adapter's tensors`,
  }),
  unknownFields: (names: readonly string[]): AdapterWarning[] =>
    about("unknown-fields", names, "the config has fields that this version does not know; they are kept, but have no effect"),
  /** @param meant the adapter that is used */
  otherAdapters: (names: readonly string[], meant: string | undefined): AdapterWarning[] =>
    about("other-adapters", names, `${tensors(names.length)} of adapters other than ${meant} left out`),
  unusedTensors: (names: readonly string[]): AdapterWarning[] =>
    about("unused-tensors", names, `${tensors(names.length)} of the adapter belong to no module and are not used`),
  unknownAlpha: (): AdapterWarning => ({
    kind: "unknown-alpha",
    message:
      "alpha is unknown: it is in the adapter_config.json, which is not beside the file; to use the adapter, put it there or give --alpha",
  }),
  /** @param silent how many of `all` modules have no alpha */
  noAlpha: (silent: number, all: number, dialect: string): AdapterWarning => ({
    kind: "no-alpha",
    message: `${silent < all ? `${silent} of ${all} modules have no alpha, so their scale` : "no alpha is in the file, so the scale"} is 1, as the readers of ${dialect} files take it${silent < all ? "" : "; --alpha gives another"}`,
  }),
  notInHeader: (names: readonly string[]): AdapterWarning[] =>
    about("no-alpha", names, "modules without alpha that the configs in the header do not name have scale 1"),
  alphaInHeader: (field: string): AdapterWarning => ({
    kind: "alpha-in-header",
    message: `the file has no alpha tensors: ${field} of its header is taken, which readers that ignore the header do not (scale 1)`,
  }),
  withoutEffect: (names: readonly string[]): AdapterWarning[] =>
    about("without-effect", names, `${modules(names.length)} with alpha or rank 0, which change nothing`),
} as const;
