import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { encodeTensorBoardEvent, type TensorBoardEvent, tensorBoardStart } from "./tensorboard.js";

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../fixtures/tensorboard/${name}`, import.meta.url));

it("writes event files as TensorBoard's own writer does", () => {
  const events = JSON.parse(fixture("events.json").toString("utf8"), (_, value: unknown) => value ?? NaN) as TensorBoardEvent[];
  const [first] = events as [TensorBoardEvent];
  const written = [tensorBoardStart(first.step, first.wallTime), ...events.map(encodeTensorBoardEvent)];
  expect(Buffer.concat(written).toString("hex")).toBe(fixture("events.bin").toString("hex"));
});
