import { expect, it } from "vitest";
import { DeviceError } from "../errors.js";
import { Arena } from "./arena.js";

/** An arena over memory with a limit; `live` are the sizes of what is allocated. */
function arenaOver(limit: number): { arena: Arena<{ bytes: number }>; live: number[] } {
  const live: number[] = [];
  const allocate = (bytes: number): { bytes: number } => {
    if (bytes > limit) throw new DeviceError("full", { kind: "out-of-memory" });
    live.push(bytes);
    return { bytes };
  };
  return { arena: new Arena(allocate, ({ bytes }) => live.splice(live.indexOf(bytes), 1)), live };
}

it("is as large as the largest claim, and gone with the last", () => {
  const { arena, live } = arenaOver(1000);
  const small = arena.claim(10);
  const large = arena.claim(500);
  const middle = arena.claim(300);
  expect(live).toEqual([500]);
  large();
  expect(live).toEqual([300]);
  large();
  expect(live).toEqual([300]);
  middle();
  expect(live).toEqual([10]);
  small();
  expect([live, arena.buffer]).toEqual([[], undefined]);
});

it("claims of nothing take nothing", () => {
  const { arena, live } = arenaOver(1000);
  arena.claim(0)();
  expect(live).toEqual([]);
});

it("stays as it was when there is no room for a claim", () => {
  const { arena, live } = arenaOver(1000);
  const first = arena.claim(400);
  expect(() => arena.claim(2000)).toThrow(DeviceError);
  expect([live, arena.bytes]).toEqual([[400], 400]);
  first();
  expect(live).toEqual([]);
});
