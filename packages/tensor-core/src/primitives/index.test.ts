import { expect, it } from "vitest";
import { PRIMITIVES } from "./index.js";

it("every primitive is listed under its name", () => {
  expect(Object.values(PRIMITIVES).map(({ name }) => name)).toEqual(Object.keys(PRIMITIVES));
});

it("every primitive either becomes part of a program, a view, or has a plain implementation", () => {
  const own = Object.values(PRIMITIVES).filter((p) => !p.pointwise && !p.view && p.group !== "leaf" && p.name !== "reduce");
  expect(own.filter((p) => !p.reference).map(({ name }) => name)).toEqual([]);
});
