import { expect, it } from "vitest";
import { createReferenceBackend } from "./reference/backend.js";
import { Storage } from "./storage.js";
import { watch } from "./testing/watch.js";

it("memory is freed exactly once, when the last holder lets go", () => {
  const memory = watch(createReferenceBackend());
  const storage = Storage.allocate({ name: "test", backend: memory.backend }, 16);
  expect([storage.holders, memory.live()]).toEqual([1, 1]);
  storage.retain();
  storage.release();
  expect(memory.live()).toBe(1);
  storage.release();
  expect([storage.holders, memory.live()]).toEqual([0, 0]);
});

it("memory that is to be used again is not given back", () => {
  const memory = watch(createReferenceBackend());
  const device = { name: "test", backend: memory.backend };
  const kept: Storage[] = [];
  const storage = new Storage(device, memory.backend.allocate(16), (s) => kept.push(s) === 1);
  storage.release();
  expect([kept.length, memory.live()]).toEqual([1, 1]);
  kept[0]!.retain().release();
  expect([kept.length, memory.live()]).toEqual([2, 0]);
});
