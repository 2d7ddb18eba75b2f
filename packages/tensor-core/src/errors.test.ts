import { expect, it } from "vitest";
import { ConfigError, FormatError, ShapeError, WeftError } from "./errors.js";

declare module "./error-kinds/kinds.js" {
  interface WeftErrorKinds {
    /** A kind of a package that builds on this one. */
    "of-another-package": "config";
  }
}

it("an error without a kind has its code's", () => {
  const error = new ShapeError("[2] and [3]");
  expect(error).toMatchObject({ name: "ShapeError", code: "shape", kind: "shape" });
  expect(error).toBeInstanceOf(WeftError);
});

it("takes the kinds of its code, which a package may add to, and the compiler refuses others", () => {
  expect(new ConfigError("", { kind: "of-another-package" }).kind).toBe("of-another-package");
  expect(new FormatError("", { kind: "header-json" }).kind).toBe("header-json");
  // @ts-expect-error -- a ShapeError is not about headers
  expect(new ShapeError("", { kind: "header-json" })).toBeDefined();
  // @ts-expect-error -- no such kind
  expect(new FormatError("", { kind: "header-jsom" })).toBeDefined();
});
